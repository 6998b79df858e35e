//! What the session layer of one application did since it started.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use sessile_core::Histogram;

use super::accounting::{Accounting, Costs};

/// Counters that are read while requests run; each is exact, together they are a blurred picture.
#[derive(Debug, Default)]
pub struct Statistics {
    requests: AtomicU64,
    filtered: AtomicU64,
    unprocessed: AtomicU64,
    sends: AtomicU64,
    discarded: AtomicU64,
    undecodable: AtomicU64,
    replayed: AtomicU64,
    request_micros: AtomicU64,
    cluster_micros: AtomicU64,
    sending_micros: AtomicU64,
    last_send: Mutex<Option<LastSend>>,
    writes: Mutex<WriteTimes>,
    pub(crate) accounting: Accounting,
}

/// Times of requests that changed a session or ended one, failed ones included.
#[derive(Clone, Debug, Default)]
pub struct WriteTimes {
    /// In this node, from the head of the request to the head of the response.
    pub request: Histogram,
    /// The part of it after the handler had returned: the commit, and waiting for whom the mode waits for.
    pub overhead: Histogram,
}

#[derive(Clone, Copy, Debug)]
struct LastSend {
    at: SystemTime,
    took: Duration,
}

impl Statistics {
    /// Requests that the layer handled, filtered ones included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests on paths that the filter matched.
    pub fn filtered(&self) -> u64 {
        self.filtered.load(Ordering::Relaxed)
    }

    /// Requests that were turned away because this node did not serve.
    pub fn unprocessed(&self) -> u64 {
        self.unprocessed.load(Ordering::Relaxed)
    }

    /// Reads of attributes that did not decode as the type that was asked for.
    pub fn undecodable(&self) -> u64 {
        self.undecodable.load(Ordering::Relaxed)
    }

    /// Commits that were made, ends of sessions included.
    pub fn sends(&self) -> u64 {
        self.sends.load(Ordering::Relaxed)
    }

    /// Changes in place that were dropped, because nobody set them and the manager does not send them by
    /// itself; see [`Session::get_mut`](crate::Session::get_mut).
    pub fn discarded(&self) -> u64 {
        self.discarded.load(Ordering::Relaxed)
    }

    /// Requests that were sent again under their idempotency key, and got the answer of the first time; see
    /// [`IdempotencyLayer`](crate::IdempotencyLayer).
    pub fn replayed(&self) -> u64 {
        self.replayed.load(Ordering::Relaxed)
    }

    /// Total time that finished requests spent in this node, up to the head of the response.
    pub fn request_time(&self) -> Duration {
        Duration::from_micros(self.request_micros.load(Ordering::Relaxed))
    }

    /// How much of [`request_time`](Self::request_time) was spent on the cluster: waiting for the gate, for
    /// other members' answers and for receipts.
    pub fn cluster_time(&self) -> Duration {
        Duration::from_micros(self.cluster_micros.load(Ordering::Relaxed))
    }

    /// Total time from the end of the handler until the request's changes were settled, of all requests that
    /// changed something.
    pub fn send_time(&self) -> Duration {
        Duration::from_micros(self.sending_micros.load(Ordering::Relaxed))
    }

    /// The part that the last such request had in [`send_time`](Self::send_time); `None` before the first.
    pub fn last_send_time(&self) -> Option<Duration> {
        self.last_send.lock().map(|last| last.took)
    }

    /// When the last such request was settled, by the wall clock; `None` before the first.
    pub fn last_sent_at(&self) -> Option<SystemTime> {
        self.last_send.lock().map(|last| last.at)
    }

    /// How long requests took that changed something.
    pub fn write_times(&self) -> WriteTimes {
        self.writes.lock().clone()
    }

    /// The attributes that cost most since the node started, at most 64, heaviest first.
    pub fn heaviest_attributes(&self) -> Costs {
        self.accounting.attributes()
    }

    /// The routes whose requests cost most, by method and the router's pattern, at most 64, heaviest first.
    pub fn heaviest_routes(&self) -> Costs {
        self.accounting.routes()
    }

    pub(crate) fn count_write(&self, request: Duration, overhead: Duration) {
        let mut writes = self.writes.lock();
        writes.request.record(request);
        writes.overhead.record(overhead);
    }

    pub(crate) fn count_undecodable(&self) {
        self.undecodable.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_request(&self, filtered: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if filtered {
            self.filtered.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_unprocessed(&self) {
        self.unprocessed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_send(&self) {
        self.sends.fetch_add(1, Ordering::Relaxed);
    }

    /// The changes of a request were settled in that time.
    pub(crate) fn count_settled(&self, took: Duration) {
        self.sending_micros.fetch_add(micros(took), Ordering::Relaxed);
        *self.last_send.lock() = Some(LastSend { at: SystemTime::now(), took });
    }

    pub(crate) fn count_discarded(&self) {
        self.discarded.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_replayed(&self) {
        self.replayed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_time(&self, request: Duration, cluster: Duration) {
        self.request_micros.fetch_add(micros(request), Ordering::Relaxed);
        self.cluster_micros.fetch_add(micros(cluster), Ordering::Relaxed);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
