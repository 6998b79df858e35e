//! The idle connections to one node. Each worker has its own: a connection stays with the runtime that opened
//! it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::backend_connection::Connection;

/// Most workers whose connections are kept apart; more of them share.
pub(crate) const MAX_WORKERS: usize = 64;
/// Most idle connections of one worker kept to one node.
const MAX_IDLE: usize = 256;
/// An idle connection older than this is dropped.
const IDLE_LIMIT: Duration = Duration::from_secs(20);

/// Connections, and since when each has been idle.
type Idle = VecDeque<(Instant, Connection)>;

/// Connections in the order in which they became idle. The youngest is used first, so that a burst's surplus
/// ages out.
#[derive(Debug)]
pub(crate) struct IdleConnections {
    workers: Box<[Mutex<Idle>]>,
}

impl Default for IdleConnections {
    fn default() -> Self {
        Self { workers: (0..MAX_WORKERS).map(|_| Mutex::default()).collect() }
    }
}

impl IdleConnections {
    /// An idle connection of a worker that can take a request, if there is one.
    pub(crate) async fn take(&self, worker: usize) -> Option<Connection> {
        loop {
            let mut connection = self.youngest(worker)?;
            if connection.is_ready().await {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose response was read to its end.
    pub(crate) fn put(&self, worker: usize, connection: Connection) {
        let now = Instant::now();
        let mut idle = self.workers[worker % MAX_WORKERS].lock();
        idle.push_back((now, connection));
        while idle.len() > MAX_IDLE {
            idle.pop_front();
        }
        drop_aged(&mut idle, now);
    }

    /// Drops those that are too old.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        self.workers.iter().for_each(|idle| drop_aged(&mut idle.lock(), now));
    }

    /// Drops all, because their node went away.
    pub(crate) fn clear(&self) {
        self.workers.iter().for_each(|idle| idle.lock().clear());
    }

    fn youngest(&self, worker: usize) -> Option<Connection> {
        let mut idle = self.workers[worker % MAX_WORKERS].lock();
        let (since, connection) = idle.pop_back()?;
        if since.elapsed() > IDLE_LIMIT {
            idle.clear();
            return None;
        }
        Some(connection)
    }
}

fn drop_aged(idle: &mut Idle, now: Instant) {
    while idle.front().is_some_and(|(since, _)| now.duration_since(*since) > IDLE_LIMIT) {
        idle.pop_front();
    }
}
