//! Carries out what the node decided.

use std::sync::Arc;

use sessile_core::Effect;

use super::waiters::Waiters;

/// Executes effects in the order in which the node gave them; never blocks.
pub(crate) struct Executor {
    waiters: Arc<Waiters>,
}

impl Executor {
    /// An executor of a node that has no members: it only wakes who waits here.
    pub(crate) fn new(waiters: Arc<Waiters>) -> Self {
        Self { waiters }
    }

    /// Carries out `effects`.
    pub(crate) fn run(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Settled { ticket, receipt } => self.waiters.commits.arrive(ticket, receipt),
                Effect::Answered { ask } => self.waiters.asks.arrive(ask, ()),
                Effect::GateMoved => self.waiters.gate.notify_waiters(),
                Effect::Send { .. } | Effect::Forget { .. } | Effect::Event(_) => {}
            }
        }
    }
}
