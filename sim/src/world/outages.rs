//! Stopped processes, network cuts, and restarts meanwhile.

use std::time::Duration;

use sessile_core::Incarnation;

use crate::event::{Event, Inside, Outage, Step};
use crate::history::HostId;
use crate::plan::Fault;
use crate::process::Process;
use crate::world::World;
use crate::world::observe::Phase;

/// Poll interval for a restarting node.
const LOOK_EVERY: Duration = Duration::from_millis(200);

impl World {
    pub(super) fn pause(&mut self, host: HostId, time: Duration) {
        let now = self.now();
        let Some(process) = self.hosts[host].as_mut().filter(|process| !process.paused) else { return };
        process.paused = true;
        if self.harder.freezes() {
            process.clock.stop(now);
        }
        let incarnation = process.incarnation;
        if let Some(life) = self.history.lives.iter_mut().find(|life| life.incarnation == incarnation) {
            life.pauses.push((now, None));
        }
        self.say(format_args!("n{host} {incarnation} is stopped"));
        self.later(time, Step::Resume(incarnation));
    }

    /// Delivers waiting events: frames in order, all others interleaved at random.
    pub(super) fn resume(&mut self, incarnation: Incarnation) {
        let now = self.now();
        let Some(host) = self.host_of(incarnation) else { return };
        let Some(process) = self.hosts[host].as_mut().filter(|process| process.paused) else { return };
        process.paused = false;
        process.clock.resume(now);
        let held = std::mem::take(&mut process.held);
        if let Some(life) = self.history.lives.iter_mut().find(|life| life.incarnation == incarnation) {
            life.pauses.iter_mut().for_each(|(_, to)| *to = to.or(Some(now)));
        }
        self.say(format_args!("n{host} {incarnation} goes on"));
        let mut arrival = now;
        for inside in held {
            let when = match inside {
                Inside::Frame(_) => {
                    arrival = arrival.plus(self.rng.duration(Duration::ZERO, Duration::from_micros(40)));
                    arrival
                }
                _ => now.plus(self.rng.duration(Duration::ZERO, Duration::from_millis(3))),
            };
            self.queue.at(when, Event::Inside(incarnation, inside));
        }
    }

    pub(super) fn stutter(&mut self, host: HostId, times: u32) {
        let time = self.rng.millis(200, 800);
        self.pause(host, time);
        if times > 1 {
            let gap = Duration::from_secs(2);
            let again = Fault::Stutter { host, times: times - 1 };
            self.plan.faults.insert(0, (gap, again));
        }
    }

    pub(super) fn cut(&mut self, sides: &[u8], both_ways: bool, time: Duration) {
        let mut ways = Vec::new();
        for (one, side) in sides.iter().enumerate() {
            for (other, other_side) in sides.iter().enumerate() {
                if side != other_side && (both_ways || *side == 0) {
                    ways.push((one, other));
                }
            }
        }
        self.cut_ways(ways, both_ways.then(|| sides.to_vec()), time);
    }

    pub(super) fn cut_ways(&mut self, ways: Vec<(HostId, HostId)>, sides: Option<Vec<u8>>, time: Duration) {
        self.divide(sides);
        for (one, other) in ways.clone() {
            let (Some(from), Some(to)) = (&self.hosts[one], &self.hosts[other]) else { continue };
            if self.rng.chance(500) {
                let notice = self.rng.millis(300, 12_000);
                let to = to.incarnation;
                self.queue.after(notice, Event::Inside(from.incarnation, Inside::LinkLost(to)));
            }
        }
        let cut = self.network.cut(ways);
        self.later(time, Step::Heal(cut));
    }

    pub(super) fn flap(&mut self, one: HostId, other: HostId) {
        for (from, to) in [(one, other), (other, one)] {
            if let (Some(from), Some(to)) = (&self.hosts[from], &self.hosts[to]) {
                self.queue
                    .after(Duration::ZERO, Event::Inside(from.incarnation, Inside::LinkLost(to.incarnation)));
            }
        }
    }

    pub(super) fn outage(&mut self, host: HostId, cut: bool) {
        let long = Duration::from_secs(120);
        let Some(process) = &self.hosts[host] else { return };
        let incarnation = process.incarnation;
        let end = if cut {
            let sides: Vec<_> = (0..self.hosts.len()).map(|other| u8::from(other == host)).collect();
            self.cut(&sides, true, long);
            Step::Heal(self.network.newest_cut())
        } else {
            self.pause(host, long);
            Step::Resume(incarnation)
        };
        let left = (0..self.hosts.len()).filter(|other| *other != host).collect();
        let begin = self.harder.timing.drop_time + self.rng.millis(500, 6_000);
        let outage = Outage { left, waiting: false, patience: 0, end: Box::new(end) };
        self.later(begin, Step::Roll(outage));
    }

    pub(super) fn roll(&mut self, mut outage: Outage) {
        let Some(host) = outage.left.last().copied().filter(|_| self.phase == Phase::Faults) else {
            return self.step(*outage.end);
        };
        let well = self.hosts[host].as_ref().is_some_and(Process::is_well);
        if outage.waiting && (well || outage.patience == 0) {
            outage.left.pop();
            outage.waiting = false;
        } else if !outage.waiting && self.may_end(host) {
            self.kill(host);
            let back = self.rng.millis(100, 600);
            self.later(back, Step::Return(host));
            (outage.waiting, outage.patience) = (true, 60);
        } else if !outage.waiting {
            outage.left.pop();
        }
        outage.patience = outage.patience.saturating_sub(1);
        self.later(LOOK_EVERY, Step::Roll(outage));
    }
}
