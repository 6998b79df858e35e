//! What is kept of each process: who it is, what waits for it, what was counted, and how to cut it off.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::connection::{CONNECTIONS_MAX, FurtherConnection};
use crate::counters::{PeerTally, TrafficCounts};
use crate::handshake_refusal::HandshakeRefusal;
use crate::identity::{Identity, Peer};
use crate::outbox::{Depth, Outbox};

/// How many processes are kept at once.
const CONTACTS_MAX: usize = 1024;
/// How many barred processes are remembered; beyond, the oldest is forgotten (its incarnation is never drawn
/// again).
const BARRED_MAX: usize = 1024;
/// How many connections one process may hold to us as connection 0: its link, and those that replace it
/// before we see it close.
pub(crate) const INBOUND_PER_CONTACT: usize = 4;

/// One process that has proven to be of this cluster.
#[derive(Debug)]
pub(crate) struct Contact {
    pub(crate) peer: Peer,
    pub(crate) outbox: Outbox,
    pub(crate) traffic: TrafficCounts,
    /// Connection 1 and those after it.
    connections: Box<[FurtherConnection]>,
    inbounds: AtomicUsize,
    inbound_further: AtomicUsize,
    cut: watch::Sender<bool>,
}

impl Contact {
    fn new(peer: Peer, room: Room) -> Self {
        let room = if peer.features & Identity::ORDERS_CONNECTIONS == 0 {
            Room { connections: 0, ..room }
        } else {
            room
        };
        let connection = |_| FurtherConnection::new(peer.incarnation, room.further_bytes());
        Self {
            outbox: Outbox::new(peer.incarnation, room.first_bytes()),
            traffic: TrafficCounts::default(),
            connections: (0..room.connections).map(connection).collect(),
            inbounds: AtomicUsize::new(0),
            inbound_further: AtomicUsize::new(0),
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

    /// A further connection to this process; none for 0 and for those that do not exist.
    pub(crate) fn connection(&self, connection: usize) -> Option<&FurtherConnection> {
        self.connections.get(connection.checked_sub(1)?)
    }

    /// What waits for a further connection: connection 0 where there is no such connection.
    pub(crate) fn outbox_of(&self, connection: usize) -> &Outbox {
        self.connection(connection).map_or(&self.outbox, |connection| &connection.outbox)
    }

    /// How much waits for this process, on all connections.
    pub(crate) fn depth(&self) -> Depth {
        let further = self.connections.iter().map(|connection| connection.outbox.depth());
        further.fold(self.outbox.depth(), |sum, depth| Depth {
            bytes: sum.bytes + depth.bytes,
            age: sum.age.max(depth.age),
        })
    }

    /// Further connections that are open now.
    pub(crate) fn open_connections(&self) -> usize {
        self.connections.iter().filter(|connection| connection.outbox.is_open()).count()
    }

    /// Counts one more connection from this process, within the bound of its kind. Rule 1.4.
    pub(crate) fn begin_inbound(&self, connection: usize) -> Result<(), HandshakeRefusal> {
        let (count, most) = self.inbounds_of(connection);
        let counted = count.fetch_update(Relaxed, Relaxed, |n| (n < most).then_some(n + 1));
        counted.map(|_| ()).map_err(|_| HandshakeRefusal::Full)
    }

    pub(crate) fn end_inbound(&self, connection: usize) {
        self.inbounds_of(connection).0.fetch_sub(1, Relaxed);
    }

    fn inbounds_of(&self, connection: usize) -> (&AtomicUsize, usize) {
        match connection {
            0 => (&self.inbounds, INBOUND_PER_CONTACT),
            _ => (&self.inbound_further, CONNECTIONS_MAX),
        }
    }

    /// Whether the process holds a connection to us as connection 0.
    pub(crate) fn is_inbound(&self) -> bool {
        self.inbounds.load(Relaxed) > 0
    }

    fn sever(&self) {
        self.outbox.close();
        self.cut.send_replace(true);
    }
}

/// What may wait for one process, and over how many connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) queue_bytes: usize,
    pub(crate) connections: usize,
}

impl Room {
    fn first_bytes(self) -> usize {
        self.queue_bytes - self.connections * self.further_bytes()
    }

    /// Further connections share a quarter: a frame that finds its own full goes over connection 0.
    fn further_bytes(self) -> usize {
        (self.queue_bytes / 4).checked_div(self.connections).unwrap_or(0)
    }
}

/// All processes known now, by incarnation.
#[derive(Debug)]
pub(crate) struct Contacts {
    room: Room,
    table: RwLock<HashMap<u32, Arc<Contact>>>,
    barred: Mutex<VecDeque<u32>>,
}

impl Contacts {
    pub(crate) fn new(room: Room) -> Self {
        Self { room, table: RwLock::default(), barred: Mutex::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.read().is_empty()
    }

    pub(crate) fn get(&self, incarnation: u32) -> Option<Arc<Contact>> {
        self.table.read().get(&incarnation).cloned()
    }

    /// Runs `visit` on the contact without taking a share of it: the way to send a frame.
    pub(crate) fn with<T>(&self, incarnation: u32, visit: impl FnOnce(&Arc<Contact>) -> T) -> Option<T> {
        self.table.read().get(&incarnation).map(visit)
    }

    /// The contact of an authenticated process, new or known. Rule 3.3.
    ///
    /// # Errors
    /// Barred, or the incarnation is held by another process, or there are too many.
    pub(crate) fn admit(&self, peer: &Peer) -> Result<Arc<Contact>, HandshakeRefusal> {
        if self.barred.lock().contains(&peer.incarnation) {
            return Err(HandshakeRefusal::Barred);
        }
        let mut table = self.table.write();
        if let Some(contact) = table.get(&peer.incarnation) {
            return if contact.peer.name == peer.name {
                Ok(contact.clone())
            } else {
                Err(HandshakeRefusal::Incarnation)
            };
        }
        if table.len() >= CONTACTS_MAX {
            table.retain(|_, contact| Arc::strong_count(contact) > 1);
        }
        if table.len() >= CONTACTS_MAX {
            return Err(HandshakeRefusal::Full);
        }
        let contact = Arc::new(Contact::new(peer.clone(), self.room));
        table.insert(peer.incarnation, contact.clone());
        Ok(contact)
    }

    /// The process is no more: no frames are taken for it. Connections from it may still be read to their
    /// end.
    pub(crate) fn remove(&self, incarnation: u32) {
        if let Some(contact) = self.table.write().remove(&incarnation) {
            contact.outbox.close();
        }
    }

    /// Ends all connections with this process. It may come back.
    pub(crate) fn forget(&self, incarnation: u32) {
        if let Some(contact) = self.table.write().remove(&incarnation) {
            contact.sever();
        }
    }

    /// Ends all connections with this process, for good.
    pub(crate) fn bar(&self, incarnation: u32) {
        {
            let mut barred = self.barred.lock();
            if !barred.contains(&incarnation) {
                if barred.len() == BARRED_MAX {
                    barred.pop_front();
                }
                barred.push_back(incarnation);
            }
        }
        self.forget(incarnation);
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
            queued: contact.depth(),
            connections: contact.open_connections(),
            traffic: contact.traffic.snapshot(),
        };
        table.values().map(tally).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { queue_bytes: 100, connections: 0 };

    fn peer(name: &str, incarnation: u32) -> Peer {
        Peer {
            name: name.into(),
            incarnation,
            address: "127.0.0.1:1".parse().unwrap(),
            features: 0,
            notice: String::new(),
        }
    }

    #[test]
    fn one_incarnation_is_one_process() {
        let contacts = Contacts::new(ROOM);
        contacts.admit(&peer("a", 1)).unwrap();
        contacts.admit(&peer("a", 1)).unwrap();
        contacts.admit(&peer("a", 2)).unwrap();
        assert_eq!(contacts.admit(&peer("b", 1)).unwrap_err(), HandshakeRefusal::Incarnation);
    }

    #[test]
    fn connections_are_bounded_first_links_and_further_connections_by_themselves() {
        let contact = Contacts::new(ROOM).admit(&peer("a", 1)).unwrap();
        for (connection, most) in [(0, INBOUND_PER_CONTACT), (1, CONNECTIONS_MAX)] {
            for _ in 0..most {
                contact.begin_inbound(connection).unwrap();
            }
            assert_eq!(contact.begin_inbound(connection), Err(HandshakeRefusal::Full));
            contact.end_inbound(connection);
            contact.begin_inbound(connection).unwrap();
        }
    }

    #[test]
    fn all_that_waits_for_a_process_has_one_bound() {
        let room = Room { queue_bytes: 1000, connections: 3 };
        assert_eq!(room.first_bytes() + room.connections * room.further_bytes(), 1000);
        let orders = Peer { features: Identity::ORDERS_CONNECTIONS, ..peer("a", 1) };
        assert_eq!(Contact::new(orders, room).connections.len(), 3);
        assert_eq!(
            Contact::new(peer("a", 1), room).connections.len(),
            0,
            "an older build would mix up the order"
        );
    }

    #[test]
    fn the_forgotten_may_return_and_the_barred_may_not() {
        let contacts = Contacts::new(ROOM);
        let first = contacts.admit(&peer("a", 1)).unwrap();
        contacts.forget(1);
        assert!(first.is_cut());
        assert!(!contacts.admit(&peer("a", 1)).unwrap().is_cut());
        contacts.bar(1);
        assert_eq!(contacts.admit(&peer("a", 1)).unwrap_err(), HandshakeRefusal::Barred);
    }

    #[test]
    fn the_table_is_bounded() {
        let contacts = Contacts::new(ROOM);
        let held: Vec<_> = (0..CONTACTS_MAX as u32)
            .map(|incarnation| contacts.admit(&peer("a", incarnation)).unwrap())
            .collect();
        assert_eq!(contacts.admit(&peer("a", u32::MAX)).unwrap_err(), HandshakeRefusal::Full);
        drop(held);
        contacts.admit(&peer("a", u32::MAX)).unwrap();
    }
}
