//! A channel between nodes of one process: no socket, no port, no secret.
//!
//! Each member has one task, its [`Keeper`], that compares whom it has told of with who is there and tells
//! the difference. So whatever happens in whichever order, every event comes once and nothing has to be
//! queued up.

mod keeper;
mod pipe;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use crate::channel::{Channel, OpenChannel, Stopping};
use crate::counters::{PeerTally, Tally, Traffic};
use crate::error::SendError;
use crate::identity::{Identity, Peer};
use crate::outbox::Depth;
use keeper::Keeper;
use pipe::Pipe;

/// Members of one network at most.
const MEMBERS_MAX: usize = 64;
/// Events that wait for one member's owner; when it is full, the keeper waits.
const EVENTS_MAX: usize = 64;
/// How long [`Channel::stop`] waits until the others have read what was sent to them.
const STOP_FLUSH: Duration = Duration::from_secs(2);

/// A network inside this process: whoever joins it meets all others. Clones are the same one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use sessile_group::{Event, Identity, InProcess};
///
/// let network = InProcess::default();
/// let named = |name: &str, incarnation| Identity {
///     name: name.to_owned(),
///     incarnation,
///     cluster: "sample".to_owned(),
///     advertise: ([127, 0, 0, 1], 0).into(),
///     features: 0,
///     notice: String::new(),
/// };
/// let (one, _) = network.join(named("tc01", 1))?;
/// let (_other, mut noticed) = network.join(named("tc02", 2))?;
/// assert!(matches!(noticed.recv().await, Some(Event::Up(peer)) if peer.name == "tc01"));
/// # drop(one);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct InProcess {
    hub: Arc<Hub>,
}

/// Who is there, and the pipes between them.
#[derive(Debug)]
struct Hub {
    state: Mutex<Members>,
    /// Moves with every change of `state`.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Members {
    present: BTreeMap<u32, Peer>,
    /// By sender and receiver. One that was closed stays until both sides have noticed.
    pipes: BTreeMap<(u32, u32), Arc<Pipe>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { state: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

impl Hub {
    /// Changes who is there, and lets every keeper look.
    fn change<T>(&self, change: impl FnOnce(&mut Members) -> T) -> T {
        let changed = change(&mut self.state.lock());
        self.changes.send_modify(|changes| *changes += 1);
        changed
    }

    fn with_pipe<T>(&self, from: u32, to: u32, visit: impl FnOnce(&Pipe) -> T) -> Option<T> {
        self.state.lock().pipes.get(&(from, to)).map(|pipe| visit(pipe))
    }
}

impl InProcess {
    /// Begins to meet the others as `identity`; its address is carried and never used. Must be called within
    /// a tokio runtime.
    ///
    /// # Errors
    /// `AddrInUse` when its incarnation is taken, `QuotaExceeded` beyond 64 members.
    pub fn join(&self, identity: Identity) -> io::Result<OpenChannel> {
        let Identity { name, incarnation, advertise, features, notice, .. } = identity;
        let peer = Peer { name, incarnation, address: advertise, features, notice };
        self.hub.change(|members| {
            if members.present.contains_key(&incarnation) {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "a member has this incarnation"));
            }
            if members.present.len() >= MEMBERS_MAX {
                return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "this network has 64 members"));
            }
            members.present.insert(incarnation, peer);
            Ok(())
        })?;
        let (events, noticed) = mpsc::channel(EVENTS_MAX);
        let keeper =
            tokio::spawn(Keeper::new(incarnation, Arc::clone(&self.hub), events).run()).abort_handle();
        Ok((Box::new(Member { incarnation, hub: Arc::clone(&self.hub), keeper }), noticed))
    }
}

/// One member's end of the network.
#[derive(Debug)]
struct Member {
    incarnation: u32,
    hub: Arc<Hub>,
    keeper: AbortHandle,
}

impl Member {
    /// Is there no more. Others still read what was sent to them.
    fn depart(&self) {
        self.keeper.abort();
        self.hub.change(|members| {
            members.present.remove(&self.incarnation);
            for ((from, to), pipe) in &members.pipes {
                if *from == self.incarnation {
                    pipe.finish();
                } else if *to == self.incarnation {
                    pipe.end(self.incarnation);
                }
            }
            let Members { present, pipes } = members;
            pipes.retain(|(from, to), _| present.contains_key(from) || present.contains_key(to));
        });
    }

    fn pipes_out(&self) -> Vec<Arc<Pipe>> {
        let members = self.hub.state.lock();
        members
            .pipes
            .range((self.incarnation, 0)..=(self.incarnation, u32::MAX))
            .map(|(_, pipe)| Arc::clone(pipe))
            .collect()
    }
}

impl Channel for Member {
    fn push(&self, to: u32, _: usize, frame: Bytes) -> Result<(), SendError> {
        let pushed = self.hub.with_pipe(self.incarnation, to, |pipe| pipe.push(frame));
        pushed.unwrap_or(Err(SendError::NotConnected(to)))
    }

    fn flush(&self, to: u32, _: usize) {
        self.hub.with_pipe(self.incarnation, to, Pipe::wake);
    }

    fn queued(&self, to: u32) -> Depth {
        self.hub.with_pipe(self.incarnation, to, Pipe::depth).unwrap_or_default()
    }

    fn counters(&self) -> Tally {
        let members = self.hub.state.lock();
        let mut total = Traffic::default();
        let mut peers = Vec::new();
        for ((from, to), pipe) in &members.pipes {
            let Some(peer) = members.present.get(to).filter(|_| *from == self.incarnation && pipe.is_open())
            else {
                continue;
            };
            let back = members.pipes.get(&(*to, *from));
            let traffic = pipe.traffic(back.map(Arc::as_ref));
            total.frames_out += traffic.frames_out;
            total.bytes_out += traffic.bytes_out;
            total.frames_in += traffic.frames_in;
            total.bytes_in += traffic.bytes_in;
            peers.push(PeerTally { peer: peer.clone(), queued: pipe.depth(), traffic, connections: 0 });
        }
        Tally { traffic: total, peers, ..Tally::default() }
    }

    fn forget(&self, incarnation: u32) {
        self.hub.change(|members| {
            for way in [(self.incarnation, incarnation), (incarnation, self.incarnation)] {
                if let Some(pipe) = members.pipes.get(&way) {
                    pipe.end(self.incarnation);
                }
            }
        });
    }

    fn stop(&self) -> Stopping<'_> {
        Box::pin(async {
            let pipes = self.pipes_out();
            self.depart();
            let read = async {
                for pipe in pipes {
                    pipe.drained().await;
                }
            };
            if tokio::time::timeout(STOP_FLUSH, read).await.is_err() {
                tracing::warn!("stopped with frames unread: a member does not read");
            }
        })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.depart();
    }
}
