//! The status of a running balancer: its nodes and their states.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::backend::{Backend, BackendState};
use crate::backend_event::BackendEvent;
use crate::backend_pool::BackendPool;
use crate::statistics::BalancerStatus;

/// One node now, and its counters since it was added. In TCP a request is a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendStatus {
    /// The node's name.
    pub name: String,
    /// Its HTTP address.
    pub address: String,
    /// Its state.
    pub state: BackendState,
    /// Its share of new clients.
    pub weight: u32,
    /// Requests and connections that are there now.
    pub active: usize,
    /// Requests for which it was chosen.
    pub requests: u64,
    /// Those of them that had been sent before, to this or another node, and not answered.
    pub retries: u64,
    /// Connections to it that could not be opened.
    pub failed_connects: u64,
    /// Requests that it gave back unprocessed.
    pub unprocessed: u64,
    /// Requests that were sent to it and never answered, or answered with a broken head.
    pub failures: u64,
    /// How often its state changed.
    pub state_changes: u64,
    /// Seconds since its state changed.
    pub state_seconds: u64,
    /// The observation behind the state, in words.
    pub reason: String,
    /// Most requests that it gets at once; 0: no limit.
    pub max_requests: usize,
    /// The most requests and connections that were there at once.
    pub most_active: usize,
    /// Answers with a status from 200 to 299, and so on to 599.
    pub responses: [u64; 4],
    /// How often it was left out because it failed request after request.
    pub ejections: u64,
}

/// Looks at a balancer, also while it runs. Clones look at the same one.
#[derive(Debug, Clone)]
pub struct BackendMonitor {
    pool: Arc<BackendPool>,
}

impl BackendMonitor {
    pub(crate) fn new(pool: Arc<BackendPool>) -> Self {
        Self { pool }
    }

    /// All nodes, in the order of the configuration; one that is added takes the place of one that was
    /// removed.
    pub fn status(&self) -> Vec<BackendStatus> {
        self.pool.nodes().iter().map(|node| BackendStatus::of(node)).collect()
    }

    /// The balancer itself.
    pub fn balancer(&self) -> BalancerStatus {
        let (room, waits) = (&self.pool.room, self.pool.room.counts());
        let connections = self.pool.settings().door.counts().numbers();
        BalancerStatus {
            connections_evicted: connections.evicted,
            connections_refused: connections.refused,
            connections_failed: connections.failed,
            connections_rested: connections.rested,
            waiting: room.count(),
            waited: waits.waited.load(Relaxed),
            wait_timed_out: waits.timed_out.load(Relaxed),
            turned_away: waits.turned_away.load(Relaxed),
            retries_denied: self.pool.retries.denied(),
            ..self.pool.statistics.status()
        }
    }

    /// The changes from now on. A listener that is more than 256 behind loses the oldest and is told how
    /// many.
    pub fn events(&self) -> broadcast::Receiver<BackendEvent> {
        self.pool.subscribe()
    }
}

impl BackendStatus {
    fn of(node: &Backend) -> Self {
        let (counters, last_change) = (&node.counters, node.last_change());
        Self {
            name: node.name.clone(),
            address: node.address.clone(),
            state: node.state(),
            weight: node.weight.load(Relaxed),
            active: node.active_count(),
            requests: counters.requests.load(Relaxed),
            retries: counters.retries.load(Relaxed),
            failed_connects: counters.failed_connects.load(Relaxed),
            unprocessed: counters.unprocessed.load(Relaxed),
            failures: counters.failures.load(Relaxed),
            state_changes: counters.state_changes.load(Relaxed),
            state_seconds: last_change.at.elapsed().as_secs(),
            reason: last_change.reason,
            max_requests: node.max_requests.load(Relaxed),
            most_active: node.most_active(),
            responses: counters.responses.each_ref().map(|counter| counter.load(Relaxed)),
            ejections: counters.ejections.load(Relaxed),
        }
    }
}
