//! Whether requests may be opened and responses may go: the state of this node, and the leases of its members
//! (rule 4.3).

use crate::roster::{NodeState, Roster};
use crate::{Effect, Effects, Instant};

/// Whether requests may be opened and responses may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Yes.
    Open,
    /// Not now: a member has not confirmed for a lease that it still counts on this node. Either it does
    /// soon, or one of the two is removed; that takes at most the drop time.
    Stalled,
    /// No, and not soon.
    Closed(Closed),
}

/// Why a node does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It looks for others or gets the state.
    NotReady,
    /// It has left.
    Left,
    /// It may not join.
    Refused,
}

impl Roster {
    /// May this node open sessions and let responses go? Rule 4.3.
    pub(crate) fn gate(&self, now: Instant) -> Gate {
        match self.state {
            NodeState::Ready | NodeState::Incomplete | NodeState::Draining => {}
            NodeState::Left => return Gate::Closed(Closed::Left),
            NodeState::Refused => return Gate::Closed(Closed::Refused),
            NodeState::Searching | NodeState::Joining => return Gate::Closed(Closed::NotReady),
        }
        let lease = self.settings.timing.lease();
        // A process without members has no lease to lose; that its tick is overdue tells that it was stopped.
        if self.searched && now.since(self.ticked_at) >= lease && !planted!(self.settings, NO_LEASE) {
            return Gate::Stalled;
        }
        if planted!(self.settings, NO_LEASE) || self.holds_all_leases(now) {
            Gate::Open
        } else {
            Gate::Stalled
        }
    }

    /// No member goes on without this node yet. Rule 4.3.
    pub(super) fn holds_all_leases(&self, now: Instant) -> bool {
        let lease = self.settings.timing.lease();
        self.members().all(|(_, _, member)| member.leased_at.is_some_and(|at| now.since(at) < lease))
    }

    /// Tells when the gate or the state changed since the last call; counts leases that ran out.
    pub(crate) fn watch_gate(&mut self, now: Instant, effects: &mut Effects) {
        let gate = self.gate(now);
        let (was_open, _) = self.announced;
        let now = (gate == Gate::Open, self.state);
        if now != self.announced {
            self.leases_lost += u64::from(was_open && gate == Gate::Stalled);
            self.announced = now;
            effects.push(Effect::GateMoved);
        }
    }
}
