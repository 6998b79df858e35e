//! When a commit may begin, and over which connection it goes: what `[sender]` says.
//!
//! Ends of sessions and changes of the id never ask here: they go at once, over connection 0, and are never
//! refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sessile_core::{Ack, SessionKey};
use tokio::time::{Instant, sleep};

use super::dials::Dials;
use super::engine::Engine;
use super::permits::{Permit, Permits};
use sessile_config::{QueueFull, Sender};

/// How often a commit that waits for room looks again.
const ROOM_POLL: Duration = Duration::from_millis(5);

/// The way of this node's commits.
pub(crate) struct Sending {
    ack: Ack,
    /// One for each connection that carries one commit at a time.
    permits: Option<Arc<Permits>>,
    /// What becomes of a commit that nothing waits for while the queue is full.
    queue_full: QueueFull,
    /// Longest wait for a connection or for room.
    max_wait: Duration,
    pub(crate) counts: SendingCounts,
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
pub struct CommitPermit {
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
        Self::new(Dials::default(), &Sender::default())
    }
}

impl Sending {
    pub(crate) fn new(dials: Dials, sender: &Sender) -> Self {
        Self {
            ack: dials.ack,
            permits: dials.connections.exclusive().map(Permits::new),
            queue_full: sender.queue_full,
            max_wait: sender.max_wait,
            counts: SendingCounts::default(),
        }
    }

    /// Waits until a commit on this session may begin.
    pub(crate) async fn commit_permit(&self, engine: &Engine, key: SessionKey) -> Result<CommitPermit, Busy> {
        let is_behind = self.ack == Ack::Asynchronous && engine.node.is_congested(key);
        let synchronous = is_behind && self.congested(engine, key).await?;
        let permit = match &self.permits {
            Some(permits) => Some(self.own_connection(permits).await?),
            None => None,
        };
        Ok(CommitPermit { permit, synchronous })
    }

    async fn own_connection(&self, permits: &Arc<Permits>) -> Result<Permit, Busy> {
        if let Some(permit) = permits.try_take() {
            return Ok(permit);
        }
        self.counts.waited.fetch_add(1, Relaxed);
        permits.take(self.max_wait).await.ok_or_else(|| self.refuse())
    }

    /// Whether the commit must wait for its acknowledgement.
    async fn congested(&self, engine: &Engine, key: SessionKey) -> Result<bool, Busy> {
        match self.queue_full {
            QueueFull::Refuse => Err(self.refuse()),
            QueueFull::Sync => {
                self.counts.synchronous.fetch_add(1, Relaxed);
                Ok(true)
            }
            QueueFull::Block => {
                self.counts.waited.fetch_add(1, Relaxed);
                let until = Instant::now() + self.max_wait;
                while engine.node.is_congested(key) && Instant::now() < until {
                    sleep(ROOM_POLL).await;
                }
                // Past the wait nothing is lost either: the change is in the backlog, and sent later as a
                // copy.
                Ok(false)
            }
        }
    }

    fn refuse(&self) -> Busy {
        self.counts.refused.fetch_add(1, Relaxed);
        Busy
    }

    /// Connections that a commit could take now; `None` where commits take none.
    pub(crate) fn free_connections(&self) -> Option<usize> {
        self.permits.as_ref().map(|permits| permits.free())
    }
}

impl CommitPermit {
    /// The connection that the frames of the commit go over.
    pub(crate) fn connection(&self) -> usize {
        self.permit.as_ref().map_or(0, Permit::connection)
    }
}
