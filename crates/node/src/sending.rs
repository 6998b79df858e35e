//! When a commit may begin, and over which connection it goes: what `[sender]` says.
//!
//! Ends of sessions and changes of the id never ask here: they go at once, over connection 0, and are never refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sessile_core::SessionKey;
use tokio::time::{Instant, sleep};

use super::engine::Engine;
use super::permits::{Permit, Permits};
use sessile_config::{Mode, QueueFull, Sender};

/// How often a commit that waits for room looks again.
const ROOM_POLL: Duration = Duration::from_millis(5);

/// The way of this node's commits.
pub(crate) struct Sending {
    way: Way,
    /// Longest wait for a connection or for room.
    max_wait: Duration,
    pub(crate) counts: SendingCounts,
}

enum Way {
    /// Any number at once over connection 0.
    Together,
    /// One at a time over each connection.
    Apart(Arc<Permits>),
    /// As [`Together`](Self::Together), but nobody waits for them: what is behind is bounded otherwise.
    Behind(QueueFull),
}

/// What commits met before they began.
#[derive(Default)]
pub(crate) struct SendingCounts {
    /// They waited.
    pub(crate) waited: AtomicU64,
    /// They were refused.
    pub(crate) refused: AtomicU64,
    /// They were made to wait for their acknowledgement, in asynchronous mode.
    pub(crate) synchronous: AtomicU64,
}

/// What a commit begins with.
#[derive(Default)]
pub struct Passage {
    /// Its connection, until it is settled.
    pub(crate) permit: Option<Permit>,
    /// It is settled when every member holds it, whatever the mode.
    pub(crate) synchronous: bool,
}

/// The commit may not begin, and nothing of it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl Default for Sending {
    fn default() -> Self {
        Self { way: Way::Together, max_wait: Duration::ZERO, counts: SendingCounts::default() }
    }
}

impl Sending {
    pub(crate) fn new(sender: &Sender) -> Self {
        let way = match sender.mode {
            Mode::Sync => Way::Apart(Permits::new([0])),
            Mode::Pooled => Way::Apart(Permits::new(1..=usize::from(sender.pool_size))),
            Mode::Pipelined => Way::Together,
            Mode::Async => Way::Behind(sender.queue_full),
        };
        Self { way, max_wait: sender.max_wait, counts: SendingCounts::default() }
    }

    /// Waits until a commit on this session may begin.
    pub(crate) async fn passage(&self, engine: &Engine, key: SessionKey) -> Result<Passage, Busy> {
        match &self.way {
            Way::Together => Ok(Passage::default()),
            Way::Apart(permits) => self.own_connection(permits).await,
            Way::Behind(policy) if engine.node.is_congested(key) => {
                self.congested(*policy, engine, key).await
            }
            Way::Behind(_) => Ok(Passage::default()),
        }
    }

    async fn own_connection(&self, permits: &Arc<Permits>) -> Result<Passage, Busy> {
        let mut permit = permits.try_take();
        if permit.is_none() {
            self.counts.waited.fetch_add(1, Relaxed);
            permit = permits.take(self.max_wait).await;
        }
        match permit {
            Some(_) => Ok(Passage { permit, synchronous: false }),
            None => Err(self.refuse()),
        }
    }

    async fn congested(&self, policy: QueueFull, engine: &Engine, key: SessionKey) -> Result<Passage, Busy> {
        match policy {
            QueueFull::Refuse => Err(self.refuse()),
            QueueFull::Sync => {
                self.counts.synchronous.fetch_add(1, Relaxed);
                Ok(Passage { permit: None, synchronous: true })
            }
            QueueFull::Block => {
                self.counts.waited.fetch_add(1, Relaxed);
                let until = Instant::now() + self.max_wait;
                while engine.node.is_congested(key) && Instant::now() < until {
                    sleep(ROOM_POLL).await;
                }
                // Past the wait nothing is lost either: the change is owed, and sent later as a copy.
                Ok(Passage::default())
            }
        }
    }

    fn refuse(&self) -> Busy {
        self.counts.refused.fetch_add(1, Relaxed);
        Busy
    }

    /// Connections that a commit could take now; `None` where commits take none.
    pub(crate) fn free_connections(&self) -> Option<usize> {
        match &self.way {
            Way::Apart(permits) => Some(permits.free()),
            Way::Together | Way::Behind(_) => None,
        }
    }
}

impl Passage {
    /// The connection that the frames of the commit go over.
    pub(crate) fn connection(&self) -> usize {
        self.permit.as_ref().map_or(0, Permit::connection)
    }
}
