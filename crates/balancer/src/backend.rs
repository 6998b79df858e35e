//! One node as the balancer sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sessile_http_server::proxy_protocol::ProxyProtocol;
use tokio::sync::Notify;

use crate::choice::{Candidate, identity};
use crate::config::BackendConfig;
use crate::idle_connections::IdleConnections;
use crate::outlier::Outlier;
use crate::slow_start::effective_weight;
use crate::waiting_room::WaitingRoom;

/// The state of a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum BackendState {
    /// Not asked yet; gets no request.
    #[default]
    Unknown = 0,
    /// It is ready: its health path answers 200, or, where none is asked, it takes connections.
    Up = 1,
    /// Its health path answers 503, as it is stopping or not ready yet; or the operator drains it. What runs
    /// ends there, all that is new goes elsewhere.
    Draining = 2,
    /// It could not be reached, or its health path answered something else.
    Down = 3,
    /// It is ready by its health path, and failed request after request: it gets nothing for a time.
    Ejected = 4,
}

impl BackendState {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Unknown, Self::Up, Self::Draining, Self::Down, Self::Ejected];

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
            Self::Ejected => "ejected",
        })
    }
}

/// The counters of a node since the balancer started. In TCP a request is a connection.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) failed_connects: AtomicU64,
    pub(crate) unprocessed: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) state_changes: AtomicU64,
    pub(crate) ejections: AtomicU64,
    /// Answers by the first digit of their status, from 2 to 5.
    pub(crate) responses: [AtomicU64; 4],
}

/// The last change of a node's state.
#[derive(Debug, Clone)]
pub(crate) struct LastChange {
    pub(crate) at: Instant,
    pub(crate) reason: String,
    /// It was up before, then not, and now is again: its share grows slowly.
    pub(crate) returned: bool,
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
    /// The version in which it is told who the client is.
    pub(crate) proxy_protocol: Option<ProxyProtocol>,
    pub(crate) weight: AtomicU32,
    /// Most requests that it gets at once; 0: no limit.
    pub(crate) max_requests: AtomicUsize,
    pub(crate) idle: IdleConnections,
    pub(crate) counters: Counters,
    pub(crate) outlier: Outlier,
    /// Wakes the node's health check before its time.
    pub(crate) recheck: Notify,
    /// Tells those that wait for an answer that the node went down.
    pub(crate) lost: Notify,
    /// The operator lets it run empty.
    pub(crate) drained: AtomicBool,
    /// It belongs to the pool no more.
    pub(crate) removed: AtomicBool,
    /// The same number at every balancer.
    identity: u64,
    state: AtomicU8,
    last_change: Mutex<LastChange>,
    active_requests: AtomicUsize,
    most_active: AtomicUsize,
    room: Arc<WaitingRoom>,
}

impl Backend {
    /// A node of the pool whose requests wait in this room, with as many parts of idle connections as there
    /// are workers.
    pub(crate) fn new(config: &BackendConfig, index: usize, room: Arc<WaitingRoom>) -> Self {
        let last_change = LastChange { at: Instant::now(), reason: "not asked yet".into(), returned: false };
        Self {
            index,
            name: config.name.clone(),
            address: config.address.clone(),
            health: config.health.clone(),
            proxy_protocol: config.proxy_protocol,
            weight: AtomicU32::new(config.weight),
            max_requests: AtomicUsize::new(config.max_requests as usize),
            idle: IdleConnections::default(),
            counters: Counters::default(),
            outlier: Outlier::default(),
            recheck: Notify::new(),
            lost: Notify::new(),
            drained: AtomicBool::new(false),
            removed: AtomicBool::new(false),
            identity: identity(config.name.as_bytes()),
            state: AtomicU8::new(BackendState::Unknown as u8),
            last_change: Mutex::new(last_change),
            active_requests: AtomicUsize::new(0),
            most_active: AtomicUsize::new(0),
            room,
        }
    }

    pub(crate) fn state(&self) -> BackendState {
        BackendState::from_byte(self.state.load(Relaxed))
    }

    /// Sets the state, and why, and answers the state before.
    pub(crate) fn set_state(&self, state: BackendState, reason: &str) -> BackendState {
        let before = BackendState::from_byte(self.state.swap(state as u8, Relaxed));
        if before != state {
            let returned = state == BackendState::Up && before != BackendState::Unknown;
            *self.last_change.lock() = LastChange { at: Instant::now(), reason: reason.to_owned(), returned };
        }
        before
    }

    pub(crate) fn last_change(&self) -> LastChange {
        self.last_change.lock().clone()
    }

    /// The node as the choice sees it; `slow_start` is the time in which its share grows after a return.
    pub(crate) fn candidate(&self, slow_start: Duration) -> Candidate {
        let weight = self.weight.load(Relaxed);
        let weight = if slow_start.is_zero() {
            weight
        } else {
            let last = self.last_change.lock();
            effective_weight(weight, if last.returned { last.at.elapsed() } else { slow_start }, slow_start)
        };
        Candidate { index: self.index, identity: self.identity, weight, active: self.active_count() }
    }

    /// Requests and connections that are there now.
    pub(crate) fn active_count(&self) -> usize {
        self.active_requests.load(Relaxed)
    }

    /// The most that there ever were.
    pub(crate) fn most_active(&self) -> usize {
        self.most_active.load(Relaxed)
    }

    /// Whether it has as many requests as it may.
    pub(crate) fn is_full(&self) -> bool {
        let most = self.max_requests.load(Relaxed);
        most != 0 && self.active_count() >= most
    }

    /// Counts as one of its requests until it is dropped; nothing when the node is full.
    pub(crate) fn begin_request(self: &Arc<Self>) -> Option<ActiveRequest> {
        let most = match self.max_requests.load(Relaxed) {
            0 => usize::MAX,
            most => most,
        };
        let before = self.active_requests.fetch_add(1, Relaxed);
        let active = ActiveRequest(Arc::clone(self));
        if before >= most {
            return None;
        }
        if before >= self.most_active() {
            self.most_active.fetch_max(before + 1, Relaxed);
        }
        Some(active)
    }
}

/// A request or connection that is at a node.
#[derive(Debug)]
pub(crate) struct ActiveRequest(Arc<Backend>);

impl ActiveRequest {
    pub(crate) fn node(&self) -> &Arc<Backend> {
        &self.0
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.active_requests.fetch_sub(1, Relaxed);
        if self.0.max_requests.load(Relaxed) != 0 {
            self.0.room.place_is_free();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_node_takes_no_request_and_one_that_ends_makes_place() {
        let config = BackendConfig { max_requests: 2, ..BackendConfig::new("tc01", "127.0.0.1:9080") };
        let node = Arc::new(Backend::new(&config, 0, Arc::default()));
        let running = [node.begin_request(), node.begin_request()];
        assert!(running.iter().all(Option::is_some) && node.is_full() && node.begin_request().is_none());
        assert_eq!((node.active_count(), node.most_active()), (2, 2));
        drop(running);
        assert_eq!((node.active_count(), node.is_full()), (0, false));
    }
}
