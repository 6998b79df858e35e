//! Times of a record.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The times of one record, in whole milliseconds.
///
/// A store never interprets them: it neither ends nor refuses a session because of a clock. The loading node
/// clamps the time since [`saved_at`](Self::saved_at), because its wall clock or the saver's may be wrong.
/// Only [`purge`](crate::Store::purge), and a database that drops garbage by itself, look at
/// [`garbage_after`](Self::garbage_after), so [`keep`](Self::keep) must be much longer than the idle time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    saved_at: u64,
    idle_left: u64,
    keep: u64,
}

impl Lifetime {
    /// The longest time, a thousand years; longer ones, such as that of a session that never ends, are
    /// clamped to it.
    pub const LONGEST: Duration = Duration::from_secs(1000 * 365 * 86_400);

    /// The times of a record saved at `saved_at` (wall clock of the saver), whose session may stay idle for
    /// `idle_left`, and which becomes garbage `keep` after its last save.
    #[must_use]
    pub fn new(saved_at: SystemTime, idle_left: Duration, keep: Duration) -> Self {
        let since = saved_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_millis(whole_millis(since), whole_millis(idle_left), whole_millis(keep))
    }

    /// When the record was saved, by the wall clock of the saver.
    #[must_use]
    pub fn saved_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.saved_at)
    }

    /// Remaining idle time of the session at the save.
    #[must_use]
    pub fn idle_left(&self) -> Duration {
        Duration::from_millis(self.idle_left)
    }

    /// Time for which a store keeps the record after its save.
    #[must_use]
    pub fn keep(&self) -> Duration {
        Duration::from_millis(self.keep)
    }

    /// When the record becomes garbage: a bound for storage, not the end of the session.
    #[must_use]
    pub fn garbage_after(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.garbage_millis())
    }

    pub(crate) fn from_millis(saved_at: u64, idle_left: u64, keep: u64) -> Self {
        let longest = whole_millis(Self::LONGEST);
        Self { saved_at: saved_at.min(longest), idle_left: idle_left.min(longest), keep: keep.min(longest) }
    }

    /// Saved at, idle left, keep.
    pub(crate) fn to_millis(self) -> [u64; 3] {
        [self.saved_at, self.idle_left, self.keep]
    }

    pub(crate) fn garbage_millis(&self) -> u64 {
        self.saved_at + self.keep
    }
}

/// Milliseconds since the Unix epoch; zero before it.
pub(crate) fn epoch_millis(time: SystemTime) -> u64 {
    whole_millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.min(Lifetime::LONGEST).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_overflows_and_milliseconds_survive() {
        let endless = Lifetime::new(SystemTime::UNIX_EPOCH, Duration::MAX, Duration::MAX);
        assert_eq!(endless.idle_left(), Lifetime::LONGEST);
        assert!(endless.garbage_after() > SystemTime::now());
        let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let lifetime = Lifetime::new(time, Duration::from_millis(5), Duration::from_secs(1));
        assert_eq!(lifetime.saved_at(), time);
        assert_eq!(lifetime.garbage_after(), time + Duration::from_secs(1));
        let before = Lifetime::new(UNIX_EPOCH - Duration::from_secs(9), Duration::ZERO, Duration::ZERO);
        assert_eq!(before.saved_at(), UNIX_EPOCH);
    }
}
