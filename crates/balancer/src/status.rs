//! What a running balancer shows: its nodes and what happens to them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::backend::BackendState;
use crate::backend_pool::BackendPool;

/// A change of a node's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackendEvent {
    /// The node's name.
    pub node: String,
    /// Its HTTP address.
    pub address: String,
    /// Its state from now on.
    pub state: BackendState,
    /// What showed it, in words.
    pub reason: String,
}

/// One node now, and its counters since it was added. In TCP a request is a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendStatus {
    /// The node's name.
    pub name: String,
    /// Its HTTP address.
    pub address: String,
    /// What is known of it.
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
        let status = self.pool.nodes().into_iter().map(|node| BackendStatus {
            name: node.name.clone(),
            address: node.address.clone(),
            state: node.state(),
            weight: node.weight.load(Relaxed),
            active: node.active_count(),
            requests: node.counters.requests.load(Relaxed),
            retries: node.counters.retries.load(Relaxed),
            failed_connects: node.counters.failed_connects.load(Relaxed),
            unprocessed: node.counters.unprocessed.load(Relaxed),
            failures: node.counters.failures.load(Relaxed),
            state_changes: node.counters.state_changes.load(Relaxed),
        });
        status.collect()
    }

    /// The changes from now on. A listener that is more than 256 behind loses the oldest and is told how
    /// many.
    pub fn events(&self) -> broadcast::Receiver<BackendEvent> {
        self.pool.subscribe()
    }
}
