//! One node as the balancer sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::config::BackendConfig;
use crate::idle_connections::IdleConnections;

/// What is known of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum BackendState {
    /// Not asked yet; gets no request.
    Unknown = 0,
    /// It is ready: its health path answers 200, or, where none is asked, it takes connections.
    Up = 1,
    /// Its health path answers 503, as it is stopping or not ready yet; or the operator drains it. What runs
    /// ends there, all that is new goes elsewhere.
    Draining = 2,
    /// It could not be reached, or its health path answered something else.
    Down = 3,
}

impl BackendState {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Unknown, Self::Up, Self::Draining, Self::Down];

    fn from_byte(byte: u8) -> Self {
        Self::ALL.into_iter().find(|state| *state as u8 == byte).unwrap_or(Self::Unknown)
    }
}

impl std::fmt::Display for BackendState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Draining => "draining",
            Self::Down => "down",
        })
    }
}

/// What happened at a node since the balancer knows it. In TCP a request is a connection.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) failed_connects: AtomicU64,
    pub(crate) unprocessed: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) state_changes: AtomicU64,
}

/// A node: where it is, how it is, the idle connections to it.
#[derive(Debug)]
pub(crate) struct Backend {
    /// Its place in the pool while it belongs to it.
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) address: String,
    /// Where its health path is asked, if that is not the address.
    pub(crate) health: Option<String>,
    pub(crate) weight: AtomicU32,
    pub(crate) idle: IdleConnections,
    pub(crate) counters: Counters,
    /// Wakes the node's health check before its time.
    pub(crate) recheck: Notify,
    /// The operator lets it run empty.
    pub(crate) drained: AtomicBool,
    /// It belongs to the pool no more.
    pub(crate) removed: AtomicBool,
    state: AtomicU8,
    active_requests: AtomicUsize,
}

impl Backend {
    pub(crate) fn new(config: &BackendConfig, index: usize) -> Self {
        Self {
            index,
            name: config.name.clone(),
            address: config.address.clone(),
            health: config.health.clone(),
            weight: AtomicU32::new(config.weight),
            idle: IdleConnections::default(),
            counters: Counters::default(),
            recheck: Notify::new(),
            drained: AtomicBool::new(false),
            removed: AtomicBool::new(false),
            state: AtomicU8::new(BackendState::Unknown as u8),
            active_requests: AtomicUsize::new(0),
        }
    }

    pub(crate) fn state(&self) -> BackendState {
        BackendState::from_byte(self.state.load(Relaxed))
    }

    /// Sets the state and answers the one before.
    pub(crate) fn set_state(&self, state: BackendState) -> BackendState {
        BackendState::from_byte(self.state.swap(state as u8, Relaxed))
    }

    /// Requests and connections that are there now.
    pub(crate) fn active_count(&self) -> usize {
        self.active_requests.load(Relaxed)
    }

    /// Counts as one of them until it is dropped.
    pub(crate) fn begin_request(self: &Arc<Self>) -> ActiveRequest {
        self.active_requests.fetch_add(1, Relaxed);
        ActiveRequest(Arc::clone(self))
    }
}

/// A request or connection that is at a node.
#[derive(Debug)]
pub(crate) struct ActiveRequest(Arc<Backend>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.active_requests.fetch_sub(1, Relaxed);
    }
}
