//! What is kept of each process: who it is, what waits for it, what was counted, and how to cut it off.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::counters::{PeerTally, TrafficCounts};
use crate::identity::Peer;
use crate::outbox::Outbox;
use crate::refusal::Refusal;

/// How many processes are kept at once.
const CONTACTS_MAX: usize = 1024;
/// How many barred processes are remembered; beyond, the oldest is forgotten (its boot is never drawn again).
const BARRED_MAX: usize = 1024;
/// How many connections one process may hold to us: its link, and those that replace it before we see it close.
pub(crate) const INBOUND_PER_CONTACT: usize = 4;

/// One process that has proven to be of this cluster.
#[derive(Debug)]
pub(crate) struct Contact {
    pub(crate) peer: Peer,
    pub(crate) outbox: Outbox,
    pub(crate) traffic: TrafficCounts,
    inbounds: AtomicUsize,
    cut: watch::Sender<bool>,
}

impl Contact {
    fn new(peer: Peer, queue_bytes: usize) -> Self {
        Self {
            outbox: Outbox::new(peer.boot, queue_bytes),
            traffic: TrafficCounts::default(),
            inbounds: AtomicUsize::new(0),
            cut: watch::Sender::new(false),
            peer,
        }
    }

    /// Becomes true when all connections with this process are to end.
    pub(crate) fn cut(&self) -> watch::Receiver<bool> {
        self.cut.subscribe()
    }

    pub(crate) fn is_cut(&self) -> bool {
        *self.cut.borrow()
    }

    /// Counts one more connection from this process, within the bound.
    pub(crate) fn begin_inbound(&self) -> Result<(), Refusal> {
        let count =
            self.inbounds.fetch_update(Relaxed, Relaxed, |n| (n < INBOUND_PER_CONTACT).then_some(n + 1));
        count.map(|_| ()).map_err(|_| Refusal::Full)
    }

    pub(crate) fn end_inbound(&self) {
        self.inbounds.fetch_sub(1, Relaxed);
    }

    /// Whether the process holds a connection to us.
    pub(crate) fn is_inbound(&self) -> bool {
        self.inbounds.load(Relaxed) > 0
    }

    fn sever(&self) {
        self.outbox.close();
        self.cut.send_replace(true);
    }
}

/// All processes known now, by boot.
#[derive(Debug)]
pub(crate) struct Contacts {
    queue_bytes: usize,
    table: RwLock<HashMap<u32, Arc<Contact>>>,
    barred: Mutex<VecDeque<u32>>,
}

impl Contacts {
    pub(crate) fn new(queue_bytes: usize) -> Self {
        Self { queue_bytes, table: RwLock::default(), barred: Mutex::default() }
    }

    pub(crate) fn get(&self, boot: u32) -> Option<Arc<Contact>> {
        self.table.read().get(&boot).cloned()
    }

    /// Runs `visit` on the contact without taking a share of it: the way to send a frame.
    pub(crate) fn with<T>(&self, boot: u32, visit: impl FnOnce(&Contact) -> T) -> Option<T> {
        self.table.read().get(&boot).map(|contact| visit(contact))
    }

    /// The contact of an authenticated process, new or known.
    ///
    /// # Errors
    /// Barred, or the boot is held by another process, or there are too many.
    pub(crate) fn admit(&self, peer: &Peer) -> Result<Arc<Contact>, Refusal> {
        if self.barred.lock().contains(&peer.boot) {
            return Err(Refusal::Barred);
        }
        let mut table = self.table.write();
        if let Some(contact) = table.get(&peer.boot) {
            return if contact.peer.name == peer.name { Ok(contact.clone()) } else { Err(Refusal::Boot) };
        }
        if table.len() >= CONTACTS_MAX {
            table.retain(|_, contact| Arc::strong_count(contact) > 1);
        }
        if table.len() >= CONTACTS_MAX {
            return Err(Refusal::Full);
        }
        let contact = Arc::new(Contact::new(peer.clone(), self.queue_bytes));
        table.insert(peer.boot, contact.clone());
        Ok(contact)
    }

    /// The process is no more: no frames are taken for it. Connections from it may still be read to their end.
    pub(crate) fn remove(&self, boot: u32) {
        if let Some(contact) = self.table.write().remove(&boot) {
            contact.outbox.close();
        }
    }

    /// Ends all connections with this process. It may come back.
    pub(crate) fn forget(&self, boot: u32) {
        if let Some(contact) = self.table.write().remove(&boot) {
            contact.sever();
        }
    }

    /// Ends all connections with this process, for good.
    pub(crate) fn bar(&self, boot: u32) {
        {
            let mut barred = self.barred.lock();
            if !barred.contains(&boot) {
                if barred.len() == BARRED_MAX {
                    barred.pop_front();
                }
                barred.push_back(boot);
            }
        }
        self.forget(boot);
    }

    /// Ends all connections.
    pub(crate) fn sever_all(&self) {
        for (_, contact) in self.table.write().drain() {
            contact.sever();
        }
    }

    pub(crate) fn tallies(&self) -> Vec<PeerTally> {
        let table = self.table.read();
        let tally = |contact: &Arc<Contact>| PeerTally {
            peer: contact.peer.clone(),
            queued: contact.outbox.depth(),
            traffic: contact.traffic.snapshot(),
        };
        table.values().map(tally).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: &str, boot: u32) -> Peer {
        Peer {
            name: name.into(),
            boot,
            address: "127.0.0.1:1".parse().unwrap(),
            features: 0,
            notice: String::new(),
        }
    }

    #[test]
    fn one_boot_is_one_process() {
        let contacts = Contacts::new(100);
        contacts.admit(&peer("a", 1)).unwrap();
        contacts.admit(&peer("a", 1)).unwrap();
        contacts.admit(&peer("a", 2)).unwrap();
        assert_eq!(contacts.admit(&peer("b", 1)).unwrap_err(), Refusal::Boot);
    }

    #[test]
    fn the_forgotten_may_return_and_the_barred_may_not() {
        let contacts = Contacts::new(100);
        let first = contacts.admit(&peer("a", 1)).unwrap();
        contacts.forget(1);
        assert!(first.is_cut());
        assert!(!contacts.admit(&peer("a", 1)).unwrap().is_cut());
        contacts.bar(1);
        assert_eq!(contacts.admit(&peer("a", 1)).unwrap_err(), Refusal::Barred);
    }

    #[test]
    fn the_table_is_bounded() {
        let contacts = Contacts::new(100);
        let held: Vec<_> =
            (0..CONTACTS_MAX as u32).map(|boot| contacts.admit(&peer("a", boot)).unwrap()).collect();
        assert_eq!(contacts.admit(&peer("a", u32::MAX)).unwrap_err(), Refusal::Full);
        drop(held);
        contacts.admit(&peer("a", u32::MAX)).unwrap();
    }
}
