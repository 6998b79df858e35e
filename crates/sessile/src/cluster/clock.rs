//! The one clock of the driver: everything the core is told about time comes from here.

use std::time::Duration;

use sessile_core::Instant;

/// Counts from the moment the driver started; nobody else asks the system for the time.
///
/// On Linux and Android the time while the machine was suspended counts, so that a node that wakes up knows that its
/// lease is over. Elsewhere the standard library's clock decides; where that one stands still during suspension,
/// a machine that is put to sleep must not be a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: system::Moment,
}

impl Clock {
    /// A clock whose origin is now.
    pub(crate) fn start() -> Self {
        Self { origin: system::now() }
    }

    /// How the core sees the present moment.
    pub(crate) fn now(&self) -> Instant {
        Instant::after_origin(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        system::since(self.origin)
    }
}

#[cfg(any(target_os = "android", target_os = "linux"))]
mod system {
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    /// Time since the machine started.
    pub(super) type Moment = Duration;

    pub(super) fn now() -> Moment {
        // The kernel gives no negative time since boot; a conversion that fails would mean zero.
        clock_gettime(ClockId::Boottime).try_into().unwrap_or_default()
    }

    pub(super) fn since(origin: Moment) -> Duration {
        now().saturating_sub(origin)
    }
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
mod system {
    use std::time::{Duration, Instant};

    pub(super) type Moment = Instant;

    pub(super) fn now() -> Moment {
        Instant::now()
    }

    pub(super) fn since(origin: Moment) -> Duration {
        origin.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back() {
        let clock = Clock::start();
        let times: Vec<Instant> = (0..100).map(|_| clock.now()).collect();
        assert!(times.is_sorted());
    }
}
