//! Counters of the balancer itself; those of each node are in `backend.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::access_log::LogCounts;

/// Upper bounds of the times until an answer began, in milliseconds.
pub(crate) const BOUNDS_MS: [u64; 11] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000, 5_000, 30_000];

/// Numbers since the balancer began.
#[derive(Debug)]
pub(crate) struct Statistics {
    began: Instant,
    connections: AtomicUsize,
    connections_total: AtomicU64,
    requests: AtomicU64,
    /// Answers to clients by the first digit of their status.
    responses: [AtomicU64; 5],
    /// Those of them that are the balancer's own.
    own_responses: AtomicU64,
    /// Clients that went away before the end of an answer.
    cut_short: AtomicU64,
    bytes_out: AtomicU64,
    /// Answers by the time until they began: up to each bound, and longer.
    answered: [AtomicU64; BOUNDS_MS.len() + 1],
    answered_micros: AtomicU64,
    pub(crate) log: Arc<LogCounts>,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            connections: AtomicUsize::new(0),
            connections_total: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            responses: Default::default(),
            own_responses: AtomicU64::new(0),
            cut_short: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            answered: Default::default(),
            answered_micros: AtomicU64::new(0),
            log: Arc::default(),
        }
    }
}

/// A snapshot of the counters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BalancerStatus {
    /// Seconds since the balancer began.
    pub uptime_seconds: u64,
    /// Connections of clients now.
    pub connections: usize,
    /// Connections of clients so far.
    pub connections_total: u64,
    /// Idle connections that were closed because their place was needed.
    pub connections_evicted: u64,
    /// Connections that were closed at once, because their source has too many.
    pub connections_refused: u64,
    /// Connections without a PROXY header or a TLS handshake that could be used, in time.
    pub connections_failed: u64,
    /// How often an idle connection gave its buffers back.
    pub connections_rested: u64,
    /// Requests so far; in TCP connections.
    pub requests: u64,
    /// Answers to clients with a status from 100 to 199, from 200 to 299, and so on to 599.
    pub responses: [u64; 5],
    /// Those of them that no node gave, but the balancer.
    pub own_responses: u64,
    /// Answers whose client went away before their end.
    pub cut_short: u64,
    /// Bytes of answers' bodies to clients.
    pub bytes_out: u64,
    /// Answers by the milliseconds until they began: up to 1, 2, 5, 10, 25, 50, 100, 250, 1,000, 5,000,
    /// 30,000, longer.
    pub answered_by_ms: [u64; BOUNDS_MS.len() + 1],
    /// The times until answers began, together, in seconds.
    pub answered_seconds: f64,
    /// Requests that wait for a node now.
    pub waiting: usize,
    /// Requests that had to wait.
    pub waited: u64,
    /// Those of them for which no node came in time.
    pub wait_timed_out: u64,
    /// Requests that found the queue full.
    pub turned_away: u64,
    /// Requests that were not repeated because too many had been.
    pub retries_denied: u64,
    /// Lines in the access log.
    pub log_lines: u64,
    /// Lines that the access log could not take.
    pub log_lines_lost: u64,
}

/// A connection of a client, until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection(Arc<Statistics>);

impl Statistics {
    pub(crate) fn connected(self: &Arc<Self>) -> OpenConnection {
        self.connections.fetch_add(1, Relaxed);
        self.connections_total.fetch_add(1, Relaxed);
        OpenConnection(Arc::clone(self))
    }

    /// A request, or in TCP a connection, has begun.
    pub(crate) fn requested(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// An answer begins after this time; `own` if no node gave it.
    pub(crate) fn answered(&self, status: u16, own: bool, after: Duration) {
        if let Some(counter) = self.responses.get(usize::from(status / 100).wrapping_sub(1)) {
            counter.fetch_add(1, Relaxed);
        }
        if own {
            self.own_responses.fetch_add(1, Relaxed);
        }
        let micros = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MS.iter().position(|bound| micros <= bound * 1_000).unwrap_or(BOUNDS_MS.len());
        self.answered[bucket].fetch_add(1, Relaxed);
        self.answered_micros.fetch_add(micros, Relaxed);
    }

    /// An answer has ended, at its end or before.
    pub(crate) fn ended(&self, bytes: u64, complete: bool) {
        self.bytes_out.fetch_add(bytes, Relaxed);
        if !complete {
            self.cut_short.fetch_add(1, Relaxed);
        }
    }

    /// All of them; what others count is left out.
    pub(crate) fn status(&self) -> BalancerStatus {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        BalancerStatus {
            uptime_seconds: self.began.elapsed().as_secs(),
            connections: self.connections.load(Relaxed),
            connections_total: read(&self.connections_total),
            requests: read(&self.requests),
            responses: self.responses.each_ref().map(read),
            own_responses: read(&self.own_responses),
            cut_short: read(&self.cut_short),
            bytes_out: read(&self.bytes_out),
            answered_by_ms: self.answered.each_ref().map(read),
            answered_seconds: read(&self.answered_micros) as f64 / 1e6,
            log_lines: self.log.written(),
            log_lines_lost: self.log.lost(),
            ..BalancerStatus::default()
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_status_and_time() {
        let statistics = Arc::new(Statistics::default());
        let connection = statistics.connected();
        for (status, ms) in [(200, 1), (204, 3), (304, 100), (404, 251), (503, 40_000), (999, 0)] {
            statistics.answered(status, status == 503, Duration::from_millis(ms));
        }
        statistics.ended(10, true);
        statistics.ended(5, false);
        let status = statistics.status();
        assert_eq!((status.responses, status.own_responses), ([0, 2, 1, 1, 1], 1));
        assert_eq!(status.answered_by_ms, [2, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1]);
        assert_eq!((status.bytes_out, status.cut_short, status.connections), (15, 1, 1));
        drop(connection);
        let status = statistics.status();
        assert_eq!((status.connections, status.connections_total), (0, 1));
    }
}
