//! The idle connections to one node.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::backend_connection::Connection;

/// Most idle connections kept to one node.
const MAX_IDLE: usize = 256;
/// An idle connection older than this is dropped.
const IDLE_LIMIT: Duration = Duration::from_secs(20);

/// Connections in the order in which they became idle. The youngest is used first, so that a burst's surplus
/// ages out.
#[derive(Debug, Default)]
pub(crate) struct IdleConnections {
    idle: Mutex<VecDeque<(Instant, Connection)>>,
}

impl IdleConnections {
    /// An idle connection that can take a request, if there is one.
    pub(crate) async fn take(&self) -> Option<Connection> {
        loop {
            let mut connection = self.youngest()?;
            if connection.is_ready().await {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose response was read to its end.
    pub(crate) fn put(&self, connection: Connection) {
        let now = Instant::now();
        let mut idle = self.idle.lock();
        idle.push_back((now, connection));
        let aged = |(since, _): &(Instant, Connection)| now.duration_since(*since) > IDLE_LIMIT;
        while idle.len() > MAX_IDLE || idle.front().is_some_and(aged) {
            idle.pop_front();
        }
    }

    /// Drops all, because their node went away.
    pub(crate) fn clear(&self) {
        self.idle.lock().clear();
    }

    fn youngest(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        let (since, connection) = idle.pop_back()?;
        if since.elapsed() > IDLE_LIMIT {
            idle.clear();
            return None;
        }
        Some(connection)
    }
}
