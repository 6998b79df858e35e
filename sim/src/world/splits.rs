//! Unplanned splits: under heavy loss, or while a queue stays full, two processes may not hear each other, or
//! each other's acknowledgements, for the drop time, and both continue. PROTOCOL.md, section 10.

use sessile_core::{Event as Told, Incarnation, NodeState, Removal};

use crate::history::{HostId, SimRemoval};
use crate::process::Process;
use crate::world::World;

/// Lost or refused frames, of 1,000, that may divide a cluster. With less loss, two live processes that
/// remove each other are a bug.
const HEAVY_LOSS: u32 = 300;

impl World {
    /// A process reports a change of its view.
    pub(super) fn view_changed(&mut self, incarnation: Incarnation, told: &Told) {
        match told {
            Told::MemberAdded { incarnation: other, .. } => {
                self.removals.remove(&(incarnation, *other));
            }
            Told::MemberRemoved { incarnation: other, cause, .. } => {
                self.gave_up(incarnation, *other, *cause)
            }
            Told::SteppedOut { .. } => self.removals.retain(|(by, _)| *by != incarnation),
            _ => {}
        }
    }

    /// A split begins when the second of two processes continues without the other: until then one of them
    /// has no lease.
    fn gave_up(&mut self, incarnation: Incarnation, other: Incarnation, cause: Removal) {
        if cause != Removal::Left {
            let at = self.now();
            self.history.removals.push(SimRemoval { at, by: incarnation, member: other });
        }
        if matches!(cause, Removal::Left | Removal::Gone) {
            return;
        }
        self.removals.insert((incarnation, other));
        let (Some(one), Some(two)) = (self.host_of(incarnation), self.host_of(other)) else { return };
        let mutual = self.removals.contains(&(other, incarnation)) && self.goes_on(one) && self.goes_on(two);
        // A queue that is full for the drop time is a cut in one direction.
        let lost = self.network.conditions().loss.max(self.network.fullness(one, two));
        if mutual && lost >= HEAVY_LOSS && !self.are_divided(one, two) {
            self.say(format_args!("n{one} and n{two} go on without each other"));
            self.counters.unplanned_splits += 1;
            self.divide(self.sides_of(one, two));
        }
    }

    /// Whether it serves and was not stopped lately: a pause does not divide the cluster.
    fn goes_on(&self, host: HostId) -> bool {
        let Some(process) = &self.hosts[host] else { return false };
        let recently = self.now().minus(self.harder.timing.drop_time * 2);
        let life = self.history.life(process.incarnation);
        let awake = |(_, end): &(_, Option<_>)| end.is_some_and(|end| end < recently);
        let serves =
            matches!(process.node.state(), NodeState::Ready | NodeState::Incomplete | NodeState::Draining);
        serves && life.is_some_and(|life| life.pauses.iter().all(awake))
    }

    /// Whether the two are known to be on different sides.
    fn are_divided(&self, one: HostId, two: HostId) -> bool {
        let open = self.history.divisions.last().filter(|division| division.to.is_none());
        open.is_some_and(|division| division.sides.as_ref().is_none_or(|sides| sides[one] != sides[two]))
    }

    /// The sides of all hosts, if no host is on both: a host without members is alone on its side.
    fn sides_of(&self, one: HostId, two: HostId) -> Option<Vec<u8>> {
        let (ours, theirs) = (self.view_of(one), self.view_of(two));
        let side = |(host, process): (usize, &Option<Process>)| {
            let incarnation = process.as_ref().map(|process| process.incarnation);
            match (
                incarnation.is_some_and(|incarnation| ours.contains(&incarnation)),
                incarnation.is_some_and(|incarnation| theirs.contains(&incarnation)),
            ) {
                (true, true) => None,
                (true, false) => Some(0),
                (false, true) => Some(1),
                (false, false) => u8::try_from(host + 2).ok(),
            }
        };
        self.hosts.iter().enumerate().map(side).collect()
    }

    /// The members as a host's process sees them, itself included.
    fn view_of(&self, host: HostId) -> Vec<Incarnation> {
        let Some(process) = &self.hosts[host] else { return Vec::new() };
        let rows = process.node.members(process.time(self.now()));
        rows.iter().map(|row| row.incarnation).collect()
    }
}
