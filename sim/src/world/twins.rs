//! Two living processes of one name: while one is stopped, an orchestrator starts another one elsewhere.

use std::time::Duration;

use sessile_core::NodeState;

use crate::event::Step;
use crate::harder::{Draw, twin_slot};
use crate::history::HostId;
use crate::process::Process;
use crate::world::World;

/// The orchestrator notices after this time that a process does not answer.
const NOTICED_AFTER: Duration = Duration::from_millis(500);

impl World {
    pub(super) fn twin(&mut self, host: HostId, time: Duration) {
        self.pause(host, time);
        self.later(NOTICED_AFTER, Step::Twin(host));
    }

    pub(super) fn start_twin(&mut self, host: HostId) {
        self.start_as(twin_slot(&self.plan), format!("n{host}"));
    }

    /// A process that may not join, or no more, ends; if the other one of its name lives, that is the host's
    /// from now on.
    pub(super) fn has_exited(&mut self, host: HostId) -> bool {
        let is_refused = |process: &Process| process.node.state() == NodeState::Refused;
        if !self.harder.has(Draw::Twins) || !self.hosts[host].as_ref().is_some_and(is_refused) {
            return false;
        }
        self.say(format_args!("n{host} is refused and ends"));
        self.counters.refused_processes += 1;
        self.kill(host);
        if host < self.plan.hosts {
            self.later(Duration::from_millis(300), Step::Return(host));
        }
        self.settle_twins();
        true
    }

    /// A twin takes the place of a process that is gone.
    pub(super) fn settle_twins(&mut self) {
        let slot = twin_slot(&self.plan);
        let Some(twin) = self.hosts.get(slot).and_then(Option::as_ref) else { return };
        let (incarnation, name) = (twin.incarnation, twin.name.clone());
        let Some(host) = (0..self.plan.hosts).find(|host| format!("n{host}") == name) else { return };
        if self.hosts[host].is_some() {
            return;
        }
        self.hosts.swap(host, slot);
        if let Some(life) = self.history.lives.iter_mut().find(|life| life.incarnation == incarnation) {
            life.host = host;
        }
    }
}
