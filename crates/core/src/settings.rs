//! Settings of a node at its start: its identity, its times, its bounds.

use std::sync::Arc;
use std::time::Duration;

use crate::{AckSet, AllMembers, Incarnation};

/// The settings of a [`Node`](crate::Node), given once at its start. Begin with [`Settings::new`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// This start of this process: random, never used by any other member.
    pub incarnation: Incarnation,
    /// The node's name: the route in cookies. Two live processes never share it.
    pub name: String,
    /// Heartbeats, leases and waits.
    pub timing: Timing,
    /// How much may be held.
    pub bounds: Bounds,
    /// Copies that make a commit whole, the writer's own included; `None`: one on every member.
    pub copies: Option<u32>,
    /// When a commit counts as settled.
    pub ack: Ack,
    /// Whether a store wants to know what changes (`Effect::Changed`).
    pub stores: bool,
    /// The members that a commit waits for; the same on every node. [`AllMembers`](crate::AllMembers) by
    /// default.
    pub ack_set: Arc<dyn AckSet>,
    #[cfg(feature = "planted")]
    pub(crate) planted: crate::planted::Planted,
}

impl Settings {
    /// The defaults for this process: every member has a copy, a commit waits for all of them, nothing is
    /// stored.
    ///
    /// ```
    /// # use sessile_core::*;
    /// let mut settings = Settings::new(Incarnation(7), "tc01");
    /// settings.bounds.max_active = 10_000;
    /// assert_eq!(settings.ack, Ack::Synchronous);
    /// ```
    pub fn new(incarnation: Incarnation, name: impl Into<String>) -> Self {
        Self {
            incarnation,
            name: name.into(),
            timing: Timing::default(),
            bounds: Bounds::default(),
            copies: None,
            ack: Ack::default(),
            stores: false,
            ack_set: Arc::new(AllMembers),
            #[cfg(feature = "planted")]
            planted: crate::planted::Planted::default(),
        }
    }

    /// Gives this node a deliberate bug, which the checkers have to find.
    #[cfg(feature = "planted")]
    pub fn plant(&mut self, plant: crate::Plant) {
        self.planted = crate::planted::Planted::with(plant);
    }
}

/// A clock gains or loses at most so much, in millionths: what NTP takes for the worst of a clock that is not
/// set (RFC 5905). Of two clocks one may gain it and the other lose it.
pub const CLOCK_DRIFT_PPM: u32 = 500;

/// The times of the cluster. All members must use the same.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Between two heartbeats to a member. Default 500 ms.
    pub heartbeat: Duration,
    /// Silence after which a member is removed; at least four heartbeats. Default 3 s.
    pub drop_time: Duration,
    /// No progress of acknowledgements for so long: send again, as copies. Default 1 s.
    pub ack_timeout: Duration,
    /// How long a start waits for the state; `None` waits for ever. Default 60 s.
    pub transfer_timeout: Option<Duration>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(500),
            drop_time: Duration::from_secs(3),
            ack_timeout: Duration::from_secs(1),
            transfer_timeout: Some(Duration::from_secs(60)),
        }
    }
}

impl Timing {
    /// How long after a granted heartbeat was *sent* a node may still answer, by its own clock: two thirds of
    /// the drop time, less what two clocks may differ by in that time.
    pub fn lease(&self) -> Duration {
        self.granted_lease() - self.granted_lease() / 1_000_000 * (2 * CLOCK_DRIFT_PPM)
    }

    /// How long the member that granted a lease waits, by its own clock, until it is over: two thirds of the
    /// drop time.
    pub fn granted_lease(&self) -> Duration {
        self.drop_time * 2 / 3
    }

    /// A member is granted leases only while it echoed a heartbeat younger than this: the last third of
    /// the drop time. So whoever is removed after the drop time has had no lease for one lease before.
    pub fn grant_window(&self) -> Duration {
        self.drop_time / 3
    }

    /// How often [`Node::tick`](crate::Node::tick) wants to be called.
    pub fn tick(&self) -> Duration {
        self.heartbeat / 4
    }
}

/// How much a node holds; over a bound the answer is a clear error.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Live sessions; bounds their creation, never the taking of copies.
    pub max_active: u64,
    /// Bytes of one attribute's value.
    pub max_attribute_bytes: usize,
    /// Bytes of one session's names and values.
    pub max_session_bytes: usize,
    /// Bytes of all copies; a copy over it is refused with a negative acknowledgement.
    pub max_table_bytes: usize,
    /// Bytes of changes on the way to one member that it has not confirmed. Above it, changes are noted as
    /// backlog and sent later, as copies.
    pub max_unconfirmed_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_active: 1_000_000,
            max_attribute_bytes: 1 << 20,
            max_session_bytes: 4 << 20,
            max_table_bytes: 4 << 30,
            max_unconfirmed_bytes: 64 << 20,
        }
    }
}

/// When a commit counts as settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ack {
    /// When every current member that the ack_set awaits holds it. Ends wait for all, in every mode.
    #[default]
    Synchronous,
    /// At once; the receipt shows the age of the oldest change that is not yet confirmed.
    Asynchronous,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_for_its_holder_before_it_ends_for_its_grantor() {
        for millis in [400, 3_000, 60_000] {
            let timing = Timing { drop_time: Duration::from_millis(millis), ..Timing::default() };
            let drift = f64::from(CLOCK_DRIFT_PPM) / 1e6;
            // By a true clock: the holder's is slow, the grantor's is fast.
            let held = timing.lease().as_secs_f64() / (1.0 - drift);
            let granted = timing.granted_lease().as_secs_f64() / (1.0 + drift);
            assert!(held <= granted + 1e-6, "{held} {granted}");
            assert!(held > granted * 0.998, "not much is given away");
        }
    }
}
