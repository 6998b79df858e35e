//! The one clock of the driver: everything the core is told about time comes from here.

#[cfg(feature = "by_hand")]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sessile_core::Instant;

/// What the other members or a store remember from before this process started has an instant too: so far
/// back at most.
const BEFORE_START: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Counts from the moment the driver started; nobody else asks the system for the time.
///
/// On Linux and Android the time while the machine was suspended counts, so that a node that wakes up knows
/// that its lease is over. Elsewhere the standard library's clock decides; where that one stands still during
/// suspension, a machine that is put to sleep must not be a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: system::Moment,
    /// In tests time may stand still, but for what they add.
    #[cfg(feature = "by_hand")]
    hand: Option<&'static AtomicU64>,
}

impl Clock {
    /// A clock whose origin is now.
    pub(crate) fn start() -> Self {
        Self {
            origin: system::now(),
            #[cfg(feature = "by_hand")]
            hand: None,
        }
    }

    /// A clock that only [`advance`](Self::advance) moves.
    #[cfg(feature = "by_hand")]
    pub(crate) fn by_hand() -> Self {
        Self { hand: Some(Box::leak(Box::default())), ..Self::start() }
    }

    /// Moves a clock that is moved by hand.
    #[cfg(feature = "by_hand")]
    pub(crate) fn advance(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(hand) = self.hand {
            hand.fetch_add(micros, Ordering::Relaxed);
        }
    }

    /// How the core sees the present moment.
    pub(crate) fn now(&self) -> Instant {
        Instant::after_origin(BEFORE_START.saturating_add(self.elapsed()))
    }

    /// Since 1970 by the wall clock, which may be wrong: only for what comes back from outside, like a
    /// cookie.
    pub(crate) fn wall(&self) -> Duration {
        #[cfg(feature = "by_hand")]
        if self.hand.is_some() {
            return BEFORE_START + self.elapsed();
        }
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    fn elapsed(&self) -> Duration {
        #[cfg(feature = "by_hand")]
        if let Some(hand) = self.hand {
            return Duration::from_micros(hand.load(Ordering::Relaxed));
        }
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
        // The kernel gives no negative time since incarnation; a conversion that fails would mean zero.
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
