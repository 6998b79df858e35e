//! Processes that die or leave, at the worst moments.

use std::time::Duration;

use sessile_core::Incarnation;

use crate::event::{Event, Inside, Step};
use crate::history::{Action, Attribute, HostId, OpId};
use crate::process::Process;
use crate::world::World;

impl World {
    /// The process is gone at once. Of its frames on the way, those to some of the others are lost.
    pub(super) fn kill(&mut self, host: HostId) {
        self.count(host);
        let Some(process) = self.hosts[host].take() else { return };
        let incarnation = process.incarnation;
        self.say(format_args!("n{host} {incarnation} is killed"));
        for other in self.hosts.iter().flatten() {
            if self.rng.chance(500) {
                self.lost.insert((incarnation, other.incarnation));
            }
        }
        self.bury(host, incarnation);
    }

    pub(super) fn bury(&mut self, host: HostId, incarnation: Incarnation) {
        let now = self.now();
        if let Some(life) = self.history.lives.iter_mut().find(|life| life.incarnation == incarnation) {
            life.to = Some(now);
        }
        self.disconnect(host);
        let proves = self.network.conditions().crash_proves;
        for peer in self.network.linked_to(incarnation) {
            let seen = proves && self.network.connects(host, self.former_host_of(peer));
            let notice = if seen { self.rng.millis(1, 10) } else { self.rng.millis(3_000, 20_000) };
            self.queue.after(notice, Event::Inside(peer, Inside::LinkLost(incarnation)));
        }
        self.network.forget(incarnation);
    }

    /// A process that is armed for it dies while its commit is on the way.
    pub(super) fn commit_began(&mut self, host: HostId, op: OpId) {
        self.commit_is_witnessed(host, op);
        let Some((_, back)) = self.armed.in_commit.filter(|(armed, _)| *armed == host) else { return };
        if !self.may_end(host) {
            return;
        }
        self.armed.in_commit = None;
        let longest = self.network.conditions().delay.1;
        let delay = self.rng.duration(Duration::ZERO, longest);
        if let Some(process) = &self.hosts[host] {
            let incarnation = process.incarnation;
            self.later(delay, Step::Kill(incarnation));
            self.later(delay + back, Step::Return(host));
        }
    }

    /// Only one other process receives the doomed process's last commit, and is stopped at once.
    pub(super) fn commit_is_witnessed(&mut self, host: HostId, op: OpId) {
        let Some((_, back)) = self.armed.witnessed.filter(|(armed, _)| *armed == host) else { return };
        let Action::Write(writes) = &self.history.ops[op].action else { return };
        let well = |other: &HostId| self.hosts[*other].as_ref().is_some_and(Process::is_well);
        let others: Vec<_> = (0..self.hosts.len()).filter(|other| *other != host && well(other)).collect();
        if !matches!(writes[..], [(Attribute::Register(_), Some(_))]) || others.len() < 2 {
            return;
        }
        self.armed.witnessed = None;
        let witness = self.rng.pick(&others);
        let Some(incarnation) = self.hosts[host].as_ref().map(|process| process.incarnation) else { return };
        for other in others.into_iter().filter(|other| *other != witness) {
            if let Some(other) = &self.hosts[other] {
                self.lost.insert((incarnation, other.incarnation));
            }
        }
        let arrival = self.network.conditions().delay.1 + Duration::from_millis(1);
        self.later(arrival, Step::Kill(incarnation));
        self.later(arrival, Step::Pause(witness, Duration::from_secs(14)));
        self.later(arrival + back, Step::Return(host));
    }

    /// A host asks a donor for the state; the donor may be doomed.
    pub(super) fn transfer_began(&mut self, host: HostId, donor: Incarnation) {
        let Some((_, back)) = self.armed.donor_of.take_if(|(armed, _)| *armed == host) else { return };
        let victim = self.former_host_of(donor);
        let longest = self.network.conditions().delay.1 * 2;
        let delay = self.rng.duration(Duration::ZERO, longest);
        self.later(delay, Step::Kill(donor));
        self.later(delay + back, Step::Return(victim));
    }

    pub(super) fn drain(&mut self, host: HostId, back: Duration) {
        let Some(process) = &mut self.hosts[host] else { return };
        if process.drain_patience.replace(80).is_some() {
            return;
        }
        let incarnation = process.incarnation;
        self.say(format_args!("n{host} {incarnation} drains"));
        self.drive(host, |node, now, effects| node.drain(now, effects));
        self.queue.after(Duration::from_millis(100), Event::Inside(incarnation, Inside::DrainCheck(back)));
    }

    /// Leaves when no request runs and the backlog is empty, or when the patience ends.
    pub(super) fn drain_check(&mut self, host: HostId, back: Duration) {
        let now = self.now();
        let Some(process) = &mut self.hosts[host] else { return };
        let incarnation = process.incarnation;
        let patience = process.drain_patience.unwrap_or(0);
        let owes_nothing = process.node.backlogs(process.time(now)).is_empty();
        let done = process.requests.is_empty() && owes_nothing;
        if !done && patience > 0 {
            process.drain_patience = Some(patience - 1);
            return self
                .queue
                .after(Duration::from_millis(100), Event::Inside(incarnation, Inside::DrainCheck(back)));
        }
        self.say(format_args!(
            "n{host} {incarnation} leaves, {}",
            if done { "owing nothing" } else { "impatient" }
        ));
        self.drive(host, |node, now, effects| node.leave(now, effects));
        self.queue.after(Duration::from_millis(50), Event::Inside(incarnation, Inside::Exit(back)));
    }

    /// The process ends cleanly: its last frames are in flight.
    pub(super) fn exit(&mut self, host: HostId, back: Duration) {
        self.count(host);
        if let Some(process) = self.hosts[host].take() {
            self.say(format_args!("n{host} {} has ended", process.incarnation));
            self.bury(host, process.incarnation);
            self.later(back, Step::Return(host));
        }
    }
}
