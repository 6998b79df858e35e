//! The state of one connection: shared by its stream, its requests, and the table of connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The state of a connection. Times are milliseconds since it began.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    began: Instant,
    /// Requests whose answer has not ended, and tunnels.
    in_flight: AtomicUsize,
    /// When the last request ended.
    idle_since: AtomicU64,
    /// When the first byte of the next head came, plus one; 0: none came.
    head_began: AtomicU64,
    /// When a byte passed last, either way.
    last_byte: AtomicU64,
    /// The client has been sent all that the engine wrote.
    is_flushed: AtomicBool,
    /// Bytes of another protocol pass, as after `101 Switching Protocols`.
    is_tunnel: AtomicBool,
    /// The server stops: what does not move is not waited for.
    is_stopping: AtomicBool,
    /// Tells the connection to end as soon as it is idle.
    pub(crate) close: Notify,
    /// HTTP/2 answers that wait for the client to take what it was sent, and since when.
    pub(crate) waiting_answers: Mutex<HashMap<u64, Instant>>,
    next_answer: AtomicU64,
    /// Interim answers to be written before the next answer; HTTP/1.1 alone.
    pub(crate) interim: Mutex<InterimQueue>,
}

/// Interim answers that wait for their turn, and who writes them.
#[derive(Debug, Default)]
pub(crate) struct InterimQueue {
    pub(crate) bytes: Vec<Bytes>,
    pub(crate) writer: Option<Waker>,
}

impl ConnectionState {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            in_flight: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            head_began: AtomicU64::new(0),
            last_byte: AtomicU64::new(0),
            is_flushed: AtomicBool::new(true),
            is_tunnel: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            close: Notify::new(),
            waiting_answers: Mutex::default(),
            next_answer: AtomicU64::new(0),
            interim: Mutex::default(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Bytes came from the client.
    pub(crate) fn note_read(&self) {
        let now = self.now();
        self.last_byte.store(now, Relaxed);
        if self.in_flight.load(Relaxed) == 0 && self.head_began.load(Relaxed) == 0 {
            self.head_began.store(now + 1, Relaxed);
        }
    }

    /// Bytes went to the client.
    pub(crate) fn note_write(&self) {
        self.last_byte.store(self.now(), Relaxed);
    }

    /// Something is to be written.
    pub(crate) fn begin_write(&self) {
        self.is_flushed.store(false, Relaxed);
    }

    /// All that was written went to the client.
    pub(crate) fn note_flush(&self) {
        self.is_flushed.store(true, Relaxed);
    }

    /// Whether the engine has had nothing to read, to answer or to write for so long.
    pub(crate) fn is_at_rest(&self, time: Duration) -> bool {
        self.is_flushed.load(Relaxed) && self.idle().is_some_and(|idle| idle >= time)
    }

    /// A request's head is complete.
    pub(crate) fn begin_request(self: &Arc<Self>) -> RequestInFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.head_began.store(0, Relaxed);
        RequestInFlight(Arc::new(Ending(Arc::clone(self))))
    }

    /// From now on bytes of another protocol pass.
    pub(crate) fn become_tunnel(&self) {
        self.is_tunnel.store(true, Relaxed);
        self.note_write();
    }

    pub(crate) fn is_tunnel(&self) -> bool {
        self.is_tunnel.load(Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Relaxed)
    }

    /// How long nothing has been under way and no head has begun; `None` while something is.
    pub(crate) fn idle(&self) -> Option<Duration> {
        let is_idle =
            self.in_flight.load(Relaxed) == 0 && self.head_began.load(Relaxed) == 0 && !self.is_tunnel();
        is_idle.then(|| Duration::from_millis(self.now().saturating_sub(self.idle_since.load(Relaxed))))
    }

    /// What the client is waited for, and when that began. Nothing while a request is under way: then it is
    /// the client that waits.
    pub(crate) fn wait(&self) -> Option<(Wait, Instant)> {
        let at = |ms| self.began + Duration::from_millis(ms);
        if self.is_tunnel() {
            return Some((Wait::Tunnel, at(self.last_byte.load(Relaxed))));
        }
        if self.in_flight.load(Relaxed) > 0 {
            return None;
        }
        match self.head_began.load(Relaxed) {
            0 => Some((Wait::NextRequest, at(self.idle_since.load(Relaxed)))),
            began => Some((Wait::Head, at(began - 1))),
        }
    }

    /// A number for an answer in [`ConnectionState::waiting_answers`].
    pub(crate) fn number_answer(&self) -> u64 {
        self.next_answer.fetch_add(1, Relaxed)
    }

    /// Since when the answer waits that waits longest.
    pub(crate) fn longest_waiting_answer(&self) -> Option<Instant> {
        self.waiting_answers.lock().values().min().copied()
    }
}

/// The input that the server waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Its next request.
    NextRequest,
    /// The rest of a head.
    Head,
    /// Anything in a tunnel.
    Tunnel,
}

/// A request whose connection counts as busy until all clones are dropped. It is in the extensions of every
/// request; whoever turns an HTTP/2 request into a tunnel keeps it as long as the tunnel lasts.
#[derive(Debug, Clone)]
pub struct RequestInFlight(Arc<Ending>);

#[derive(Debug)]
struct Ending(Arc<ConnectionState>);

impl RequestInFlight {
    pub(crate) fn state(&self) -> &Arc<ConnectionState> {
        &self.0.0
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let state = &self.0;
        state.idle_since.store(state.now(), Relaxed);
        state.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_waits_for_a_request_then_for_its_head_then_its_client_waits() {
        let state = Arc::new(ConnectionState::new());
        let wait = |state: &ConnectionState| state.wait().map(|(wait, _)| wait);
        assert_eq!(wait(&state), Some(Wait::NextRequest));
        assert!(state.idle().is_some());
        state.note_read();
        assert_eq!(wait(&state), Some(Wait::Head));
        assert!(state.idle().is_none());
        let request = state.begin_request();
        let tunnel = request.clone();
        assert_eq!(wait(&state), None);
        state.note_read();
        drop(request);
        assert_eq!(wait(&state), None, "its tunnel goes on");
        drop(tunnel);
        assert_eq!(wait(&state), Some(Wait::NextRequest));
        state.become_tunnel();
        assert_eq!(wait(&state), Some(Wait::Tunnel));
    }
}
