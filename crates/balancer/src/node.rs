//! One node as the balancer sees it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use serde::Serialize;
use tokio::sync::Notify;

use crate::config::NodeConfig;
use crate::pool::Pool;

/// What is known of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum NodeState {
    /// Not asked yet; gets no request.
    Unknown = 0,
    /// Its health path answers 200.
    Up = 1,
    /// Its health path answers 503: it is stopping or not ready yet. Running requests end there, new ones go
    /// elsewhere.
    Draining = 2,
    /// It could not be reached, or its health path answered something else.
    Down = 3,
}

impl NodeState {
    fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Up,
            2 => Self::Draining,
            3 => Self::Down,
            _ => Self::Unknown,
        }
    }
}

impl std::fmt::Display for NodeState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Draining => "draining",
            Self::Down => "down",
        })
    }
}

/// What happened to the requests of a node since the balancer started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) repeats: AtomicU64,
    pub(crate) failed_connects: AtomicU64,
    pub(crate) unprocessed: AtomicU64,
    pub(crate) failures: AtomicU64,
}

/// A node: where it is, how it is, the idle connections to it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) pool: Pool,
    pub(crate) counters: Counters,
    /// Wakes the node's health check before its time.
    pub(crate) recheck: Notify,
    state: AtomicU8,
}

impl Node {
    pub(crate) fn new(config: &NodeConfig) -> Self {
        Self {
            name: config.name.clone(),
            address: config.address.clone(),
            pool: Pool::default(),
            counters: Counters::default(),
            recheck: Notify::new(),
            state: AtomicU8::new(NodeState::Unknown as u8),
        }
    }

    pub(crate) fn state(&self) -> NodeState {
        NodeState::from_byte(self.state.load(Relaxed))
    }

    /// Sets the state and answers the one before.
    pub(crate) fn set_state(&self, state: NodeState) -> NodeState {
        NodeState::from_byte(self.state.swap(state as u8, Relaxed))
    }
}
