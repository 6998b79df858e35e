//! One address that may hold a member, and when it is worth dialing.

use std::time::Duration;

use tokio::time::Instant;

/// First and longest pause between two attempts to the same address.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// A link that lived shorter than this counts as one more failed attempt.
const STABLE: Duration = Duration::from_secs(2);

/// What is known of one address.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) dialing: bool,
    /// The process whose link is up that was last met here.
    pub(crate) linked: Option<u32>,
    /// The process looked for here without any further sighting.
    pub(crate) sought: Option<Sought>,
    /// This node itself answers here.
    pub(crate) own: bool,
    not_before: Instant,
    pause: Duration,
}

/// Why an address is dialed again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sought {
    /// The link to this process was lost here.
    Lost(u32),
    /// This process connected to us and says that it is here.
    Caller(u32),
}

impl Sought {
    pub(crate) fn incarnation(self) -> u32 {
        match self {
            Self::Lost(incarnation) | Self::Caller(incarnation) => incarnation,
        }
    }
}

impl Route {
    pub(crate) fn new(now: Instant) -> Self {
        Self { dialing: false, linked: None, sought: None, own: false, not_before: now, pause: PAUSE_MIN }
    }

    /// Whether it may be dialed at `now`.
    pub(crate) fn may_dial(&self, now: Instant) -> bool {
        !self.dialing && !self.own && now >= self.not_before
    }

    pub(crate) fn due(&self) -> Instant {
        self.not_before
    }

    /// Whether forgetting it would lose something.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        self.linked.is_none() && self.sought.is_none() && !self.own && self.may_dial(now)
    }

    /// An attempt came to nothing: the next one waits longer, by a random part so that nodes do not act in
    /// step.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.not_before = now + jittered(self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    /// A link that lived for `lived` was lost here: dial at once, unless it never really held.
    pub(crate) fn lost(&mut self, now: Instant, lived: Duration) {
        if lived < STABLE {
            self.failed(now);
        } else {
            self.not_before = now;
            self.pause = PAUSE_MIN;
        }
    }
}

/// Between half of `pause` and all of it.
fn jittered(pause: Duration) -> Duration {
    let part = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + part / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_a_bound_and_a_stable_link_ends_them() {
        let now = Instant::now();
        let mut route = Route::new(now);
        assert!(route.may_dial(now));
        for _ in 0..20 {
            route.failed(now);
            assert!(!route.may_dial(now));
            assert!(route.may_dial(now + PAUSE_MAX));
        }
        assert!(route.due() >= now + PAUSE_MAX / 2);
        route.lost(now, Duration::from_millis(1));
        assert!(!route.may_dial(now), "a link that flaps is dialed ever more slowly");
        route.lost(now, STABLE);
        assert!(route.may_dial(now));
    }
}
