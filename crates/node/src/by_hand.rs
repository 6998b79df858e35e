//! A node whose clock is moved by hand and whose events are thrown away: for tests of what stands on the
//! driver.
//!
//! Compiled only with the feature `by_hand`. Events are for logs and counters, so nothing else may depend on
//! them.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Effects, Instant, Node};
use sessile_group::Channel;

use crate::clock::Clock;
use crate::engine::Engine;
use crate::frame_sender::FrameSender;
use crate::host::SessionHost;

/// A node of the core that a test drives. Clones are the same node.
#[derive(Clone)]
pub struct NodeByHand(Arc<Engine>);

impl NodeByHand {
    /// The node that `start` makes, whose frames go to `channel`.
    pub fn new(start: impl FnOnce(Instant) -> Node, channel: Option<Box<dyn Channel>>) -> Self {
        let engine = Engine::of(Clock::by_hand(), start, channel.map(FrameSender::new));
        Self(Arc::new(engine.without_events()))
    }

    /// The node as requests use it.
    #[must_use]
    pub fn host(&self) -> Arc<SessionHost> {
        Arc::new(SessionHost::new(Arc::clone(&self.0), Arc::default()))
    }

    /// The node itself.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.0.node
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// Lets `time` pass.
    pub fn advance(&self, time: Duration) {
        self.0.clock.advance(time);
    }

    /// One call into the core, and then everything that it decided.
    pub fn step<R>(&self, call: impl FnOnce(&Node, Instant, &mut Effects) -> R) -> R {
        self.0.step(call)
    }

    /// Values of sessions that are on this node only.
    #[must_use]
    pub fn local_count(&self) -> u64 {
        self.0.local_values.count()
    }

    /// How often a value was asked for that is not on this node.
    #[must_use]
    pub fn local_missed(&self) -> u64 {
        self.0.local_values.missed()
    }
}
