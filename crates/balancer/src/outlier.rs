//! Outlier detection: a backend that fails request after request is left out for a time, though its health
//! path answers. Pure: told the time. Source: Envoy's outlier detection.
//!
//! A failure is an exchange without a usable answer, or an answer 502 or 504. A 500 is the application's, and
//! with a 503 a backend says itself what it wants. Any other answer ends the row.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Each ejection in a row lasts longer than the one before, up to this multiple of the first.
const MAX_MULTIPLE: u32 = 10;

/// The failures of one backend.
#[derive(Debug, Default)]
pub(crate) struct Outlier {
    /// Failures since the last answer.
    in_a_row: AtomicU32,
    /// Ejections, less one for each period without.
    ejections: Mutex<Ejections>,
}

#[derive(Debug, Default)]
struct Ejections {
    count: u32,
    until: Option<Instant>,
}

impl Outlier {
    /// It answered.
    pub(crate) fn succeeded(&self) {
        // Written only where it changes something: the line is shared by all cores.
        if self.in_a_row.load(Relaxed) != 0 {
            self.in_a_row.store(0, Relaxed);
        }
    }

    /// It failed; whether that makes `limit` failures in a row (0: never).
    pub(crate) fn failed(&self, limit: u32) -> bool {
        let failures = self.in_a_row.fetch_add(1, Relaxed).saturating_add(1);
        limit != 0 && failures >= limit
    }

    /// Leaves it out from `now`: for `time`, and longer each time it comes to that again.
    pub(crate) fn eject(&self, now: Instant, time: Duration) -> Duration {
        let mut ejections = self.ejections.lock();
        let good = ejections.until.map_or(Duration::ZERO, |until| now.saturating_duration_since(until));
        let forgiven = good.as_millis().checked_div(time.as_millis()).unwrap_or(0);
        ejections.count = ejections.count.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
        ejections.count = (ejections.count + 1).min(MAX_MULTIPLE);
        let lasts = time * ejections.count;
        ejections.until = Some(now + lasts);
        self.in_a_row.store(0, Relaxed);
        lasts
    }

    /// How long it is still left out.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        let until = self.ejections.lock().until?;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }
}

/// Whether one more of `all` backends may be left out when `ejected` are: at most `percent` of them, never
/// the last one, and always one of two or more.
pub(crate) fn may_eject(ejected: usize, all: usize, percent: u32) -> bool {
    let most = (all * percent as usize / 100).max(1).min(all.saturating_sub(1));
    percent != 0 && ejected < most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_in_a_row_count() {
        let outlier = Outlier::default();
        assert_eq!([outlier.failed(3), outlier.failed(3)], [false, false]);
        outlier.succeeded();
        assert_eq!([outlier.failed(3), outlier.failed(3), outlier.failed(3)], [false, false, true]);
        assert!((0..100).all(|_| !outlier.failed(0)), "0 is never");
    }

    #[test]
    fn an_ejection_ends_and_the_next_one_lasts_longer_unless_it_was_good_meanwhile() {
        let (outlier, second, start) = (Outlier::default(), Duration::from_secs(1), Instant::now());
        assert_eq!(outlier.left(start), None);
        assert_eq!(outlier.eject(start, 10 * second), 10 * second);
        assert_eq!(outlier.left(start + 4 * second), Some(6 * second));
        assert_eq!(outlier.left(start + 10 * second), None);
        assert_eq!(outlier.eject(start + 11 * second, 10 * second), 20 * second);
        assert_eq!(outlier.eject(start + 100 * second, 10 * second), 10 * second, "69 s of peace");
        for round in 0..30 {
            outlier.eject(start + (100 + round) * second, 10 * second);
        }
        assert_eq!(outlier.eject(start + 131 * second, 10 * second), 100 * second);
    }

    #[test]
    fn a_bounded_share_is_left_out_and_never_the_last_one() {
        assert!(!may_eject(0, 1, 50) && !may_eject(0, 1, 100) && !may_eject(0, 0, 50));
        assert!(may_eject(0, 2, 50) && !may_eject(1, 2, 50) && !may_eject(1, 2, 100));
        assert!(may_eject(0, 3, 10) && !may_eject(1, 3, 10), "one of two or more");
        assert!(may_eject(1, 4, 50) && !may_eject(2, 4, 50));
        assert!(!may_eject(0, 4, 0), "0 is never");
    }
}
