//! When the last byte passed on a client's connection, and how many went to the client.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The time of the last byte.
#[derive(Debug)]
pub(crate) struct Activity {
    began: Instant,
    /// Milliseconds from the beginning to the last byte.
    last: AtomicU64,
    sent: AtomicU64,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(0), sent: AtomicU64::new(0) }
    }

    pub(crate) fn touch(&self) {
        self.last.store(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Counts bytes that went to the client.
    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
        self.touch();
    }

    /// Bytes that went to the client.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// How long no byte has passed.
    pub(crate) fn silence(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.last.load(Relaxed)))
    }

    /// Ready once no byte has passed for this long.
    pub(crate) async fn idle_for(&self, limit: Duration) {
        while let Some(left) = self.left(limit, self.began.elapsed()) {
            sleep(left).await;
        }
    }

    /// How long it may stay silent from `now`, counted from the beginning; nothing when that is over.
    fn left(&self, limit: Duration, now: Duration) -> Option<Duration> {
        let quiet = now.saturating_sub(Duration::from_millis(self.last.load(Relaxed)));
        limit.checked_sub(quiet).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beat_begins_the_silence_anew() {
        let (activity, second) = (Activity::new(), Duration::from_secs(1));
        assert_eq!(activity.left(10 * second, 4 * second), Some(6 * second));
        activity.last.store(4_000, Relaxed);
        assert_eq!(activity.left(10 * second, 13 * second), Some(second));
        assert_eq!(activity.left(10 * second, 14 * second), None);
        assert_eq!(activity.left(10 * second, 30 * second), None);
    }
}
