//! Time as the core sees it: how long ago the driver's origin was. Nobody here can ask a clock.

use std::time::Duration;

/// A point on the driver's monotonic clock, in microseconds since an origin that the driver chose.
///
/// Arithmetic saturates, so stale or hostile input cannot panic. Two nodes' instants are never compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The driver's origin itself.
    pub const ORIGIN: Self = Self(0);

    /// The instant that lies `elapsed` after the origin.
    pub fn after_origin(elapsed: Duration) -> Self {
        Self(micros(elapsed))
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The instant `duration` later.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// The instant `duration` earlier, at the least the origin.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// Microseconds since the origin.
    pub fn as_micros(self) -> u64 {
        self.0
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
