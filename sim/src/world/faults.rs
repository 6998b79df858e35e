//! Faults: processes that die, stop, leave and return, and cuts in the network.

use std::time::Duration;

use sessile_core::{Boot, Timing};

use crate::event::{Event, Inside, Outage, Outside, Step};
use crate::history::{Action, Attribute, HostId, OpId};
use crate::plan::Fault;
use crate::process::Process;
use crate::world::World;
use crate::world::observe::Phase;

/// A fault that cannot happen now is tried again after this time.
const RETRY: Duration = Duration::from_millis(700);

/// How often in vain, over all faults of a run.
const MAX_RETRIES: u32 = 60;

/// Between two looks at a node that is being restarted.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Faults that wait for their moment, and what is still to come.
#[derive(Default)]
pub(super) struct Armed {
    /// Dies at its next commit; comes back after the time.
    in_commit: Option<(HostId, Duration)>,
    /// Dies at its next write of a register, which one other sees; comes back after the time.
    witnessed: Option<(HostId, Duration)>,
    /// The donor of its next transfer dies; comes back after the time.
    donor_of: Option<(HostId, Duration)>,
    retries: u32,
    /// Faults that have happened.
    pub(super) happened: usize,
    /// Nothing more is planned.
    pub(super) exhausted: bool,
}

impl World {
    pub(super) fn plan_next_fault(&mut self) {
        if self.plan.faults.is_empty() {
            self.armed.exhausted = true;
            return;
        }
        let (gap, fault) = self.plan.faults.remove(0);
        let gap = if self.armed.happened == 0 { gap + Duration::from_secs(4) } else { gap };
        self.queue.after(gap, Event::Outside(Outside::Fault(fault)));
    }

    /// A planned fault happens, or is tried again later where it would destroy the last copy.
    pub(super) fn fault(&mut self, fault: Fault) {
        if self.phase != Phase::Faults {
            return;
        }
        if !self.is_possible(&fault) && self.armed.retries < MAX_RETRIES {
            self.armed.retries += 1;
            return self.queue.after(RETRY, Event::Outside(Outside::Fault(fault)));
        }
        if self.is_possible(&fault) {
            self.say(format_args!("FAULT {fault:?}"));
            self.tally.faults += 1;
            self.armed.happened += 1;
            self.strike(fault);
        }
        self.plan_next_fault();
    }

    fn is_possible(&self, fault: &Fault) -> bool {
        match fault {
            Fault::Crash { host, .. }
            | Fault::CrashInCommit { host, .. }
            | Fault::CrashOfDonor { host, .. }
            | Fault::CrashWitnessed { host, .. }
            | Fault::Leave { host, .. } => self.may_end(*host),
            Fault::Pause { host, .. }
            | Fault::PauseThenCrash { host, .. }
            | Fault::Stutter { host, .. }
            | Fault::Outage { host, .. } => self.hosts[*host].as_ref().is_some_and(|process| !process.paused),
            _ => true,
        }
    }

    /// Whether the host's process may end: another one that has everything must go on.
    fn may_end(&self, host: HostId) -> bool {
        let others = self.hosts.iter().enumerate().filter(|(other, _)| *other != host);
        let well = |process: &Option<_>| process.as_ref().is_some_and(Process::is_well);
        let kept = others.filter(|(_, process)| well(process)).count() > 0;
        self.hosts[host].is_some() && (kept || self.plan.reckless)
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Crash { host, back } => {
                self.kill(host);
                self.later(back, Step::Return(host));
            }
            Fault::CrashInCommit { host, back } => self.armed.in_commit = Some((host, back)),
            Fault::CrashOfDonor { host, back } => {
                self.kill(host);
                self.armed.donor_of = Some((host, back));
                self.later(back, Step::Return(host));
            }
            Fault::CrashWitnessed { host, back } => self.armed.witnessed = Some((host, back)),
            Fault::Pause { host, time } => self.pause(host, time),
            Fault::PauseThenCrash { host, time, victim, back } => {
                self.pause(host, time);
                if let Some(process) = &self.hosts[victim] {
                    let boot = process.boot;
                    let early = self.rng.millis(0, 600);
                    self.later((time + Duration::from_millis(200)).saturating_sub(early), Step::Kill(boot));
                    self.later(time + Duration::from_millis(300) + back, Step::Return(victim));
                }
            }
            Fault::Stutter { host, times } => self.stutter(host, times),
            Fault::Leave { host, back } => self.drain(host, back),
            Fault::Split { sides, time } => self.cut(&sides, true, time),
            Fault::OneWay { sides, time } => self.cut(&sides, false, time),
            Fault::Partial { one, other, time } => {
                self.cut_ways(vec![(one, other), (other, one)], None, time)
            }
            Fault::Flap { one, other, times } => {
                for _ in 0..times {
                    let when = self.rng.millis(0, 4_000);
                    self.later(when, Step::Flap(one, other));
                }
            }
            Fault::Outage { host, cut } => self.outage(host, cut),
            Fault::ClockJump => {}
        }
    }

    fn later(&mut self, delay: Duration, step: Step) {
        self.queue.after(delay, Event::Outside(Outside::Step(step)));
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Return(host) => self.start(host),
            Step::Pause(host, time) if self.phase == Phase::Faults => self.pause(host, time),
            Step::Pause(..) => {}
            Step::Resume(boot) => self.resume(boot),
            Step::Kill(boot) => {
                let may_die = |host: &HostId| self.phase == Phase::Faults && self.may_end(*host);
                if let Some(host) = self.host_of(boot).filter(may_die) {
                    self.kill(host);
                }
            }
            Step::Heal(cut) => {
                self.say(format_args!("cut {cut} heals"));
                self.network.heal(cut);
                self.release();
            }
            Step::Flap(one, other) => self.flap(one, other),
            Step::Roll(outage) => self.roll(outage),
        }
    }

    // === death ===

    /// The process is gone at once. Of its frames on the way, those to some of the others are lost.
    fn kill(&mut self, host: HostId) {
        self.count(host);
        let Some(process) = self.hosts[host].take() else { return };
        let boot = process.boot;
        self.say(format_args!("n{host} {boot} is killed"));
        for other in self.hosts.iter().flatten() {
            if self.rng.chance(500) {
                self.lost.insert((boot, other.boot));
            }
        }
        self.bury(host, boot);
    }

    fn bury(&mut self, host: HostId, boot: Boot) {
        let now = self.now();
        if let Some(life) = self.history.lives.iter_mut().find(|life| life.boot == boot) {
            life.to = Some(now);
        }
        self.disconnect(host);
        let proves = self.network.weather().crash_proves;
        for peer in self.network.linked_to(boot) {
            let seen = proves && self.network.connects(host, self.former_host_of(peer));
            let notice = if seen { self.rng.millis(1, 10) } else { self.rng.millis(3_000, 20_000) };
            self.queue.after(notice, Event::Inside(peer, Inside::LinkLost(boot)));
        }
        self.network.forget(boot);
    }

    /// A process that is armed for it dies while its commit is on the way.
    pub(super) fn commit_began(&mut self, host: HostId, op: OpId) {
        self.commit_is_witnessed(host, op);
        let Some((_, back)) = self.armed.in_commit.filter(|(armed, _)| *armed == host) else { return };
        if !self.may_end(host) {
            return;
        }
        self.armed.in_commit = None;
        let longest = self.network.weather().delay.1;
        let delay = self.rng.duration(Duration::ZERO, longest);
        if let Some(process) = &self.hosts[host] {
            let boot = process.boot;
            self.later(delay, Step::Kill(boot));
            self.later(delay + back, Step::Return(host));
        }
    }

    /// Of a doomed process's last commit only one other learns, and that one is stopped at once.
    fn commit_is_witnessed(&mut self, host: HostId, op: OpId) {
        let Some((_, back)) = self.armed.witnessed.filter(|(armed, _)| *armed == host) else { return };
        let Action::Write(writes) = &self.history.ops[op].action else { return };
        let well = |other: &HostId| self.hosts[*other].as_ref().is_some_and(Process::is_well);
        let others: Vec<_> = (0..self.hosts.len()).filter(|other| *other != host && well(other)).collect();
        if !matches!(writes[..], [(Attribute::Register(_), Some(_))]) || others.len() < 2 {
            return;
        }
        self.armed.witnessed = None;
        let witness = self.rng.pick(&others);
        let Some(boot) = self.hosts[host].as_ref().map(|process| process.boot) else { return };
        for other in others.into_iter().filter(|other| *other != witness) {
            if let Some(other) = &self.hosts[other] {
                self.lost.insert((boot, other.boot));
            }
        }
        let arrival = self.network.weather().delay.1 + Duration::from_millis(1);
        self.later(arrival, Step::Kill(boot));
        self.later(arrival, Step::Pause(witness, Duration::from_secs(14)));
        self.later(arrival + back, Step::Return(host));
    }

    /// A host asks a donor for the state; the donor may be doomed.
    pub(super) fn transfer_began(&mut self, host: HostId, donor: Boot) {
        let Some((_, back)) = self.armed.donor_of.take_if(|(armed, _)| *armed == host) else { return };
        let victim = self.former_host_of(donor);
        let longest = self.network.weather().delay.1 * 2;
        let delay = self.rng.duration(Duration::ZERO, longest);
        self.later(delay, Step::Kill(donor));
        self.later(delay + back, Step::Return(victim));
    }

    // === pauses ===

    fn pause(&mut self, host: HostId, time: Duration) {
        let now = self.now();
        let Some(process) = self.hosts[host].as_mut().filter(|process| !process.paused) else { return };
        process.paused = true;
        let boot = process.boot;
        if let Some(life) = self.history.lives.iter_mut().find(|life| life.boot == boot) {
            life.pauses.push((now, None));
        }
        self.say(format_args!("n{host} {boot} is stopped"));
        self.later(time, Step::Resume(boot));
    }

    /// What waited happens now: frames in their order, all else in between at random.
    fn resume(&mut self, boot: Boot) {
        let now = self.now();
        let Some(host) = self.host_of(boot) else { return };
        let Some(process) = self.hosts[host].as_mut().filter(|process| process.paused) else { return };
        process.paused = false;
        let held = std::mem::take(&mut process.held);
        if let Some(life) = self.history.lives.iter_mut().find(|life| life.boot == boot) {
            life.pauses.iter_mut().for_each(|(_, to)| *to = to.or(Some(now)));
        }
        self.say(format_args!("n{host} {boot} goes on"));
        let mut arrival = now;
        for inside in held {
            let when = match inside {
                Inside::Frame(_) => {
                    arrival = arrival.plus(self.rng.duration(Duration::ZERO, Duration::from_micros(40)));
                    arrival
                }
                _ => now.plus(self.rng.duration(Duration::ZERO, Duration::from_millis(3))),
            };
            self.queue.at(when, Event::Inside(boot, inside));
        }
    }

    fn stutter(&mut self, host: HostId, times: u32) {
        let time = self.rng.millis(200, 800);
        self.pause(host, time);
        if times > 1 {
            let gap = Duration::from_secs(2);
            let again = Fault::Stutter { host, times: times - 1 };
            self.plan.faults.insert(0, (gap, again));
        }
    }

    // === leaving ===

    fn drain(&mut self, host: HostId, back: Duration) {
        let Some(process) = &mut self.hosts[host] else { return };
        if process.drain_patience.replace(80).is_some() {
            return;
        }
        let boot = process.boot;
        self.say(format_args!("n{host} {boot} drains"));
        self.drive(host, |node, now, fx| node.drain(now, fx));
        self.queue.after(Duration::from_millis(100), Event::Inside(boot, Inside::DrainCheck));
        self.later(Duration::from_secs(9) + back, Step::Return(host));
    }

    /// Leaves when no request runs and nothing is owed, or when patience ends.
    pub(super) fn drain_check(&mut self, host: HostId) {
        let now = self.now();
        let Some(process) = &mut self.hosts[host] else { return };
        let boot = process.boot;
        let patience = process.drain_patience.unwrap_or(0);
        let owes_nothing = process.node.debts(now.plus(process.clock)).is_empty();
        let done = process.requests.is_empty() && owes_nothing;
        if !done && patience > 0 {
            process.drain_patience = Some(patience - 1);
            return self.queue.after(Duration::from_millis(100), Event::Inside(boot, Inside::DrainCheck));
        }
        self.say(format_args!("n{host} {boot} leaves, {}", if done { "owing nothing" } else { "impatient" }));
        self.drive(host, |node, now, fx| node.leave(now, fx));
        self.queue.after(Duration::from_millis(50), Event::Inside(boot, Inside::Exit));
    }

    /// The process ends in peace: its last frames are on their way.
    pub(super) fn exit(&mut self, host: HostId) {
        self.count(host);
        if let Some(process) = self.hosts[host].take() {
            self.say(format_args!("n{host} {} has ended", process.boot));
            self.bury(host, process.boot);
        }
    }

    // === cuts ===

    fn cut(&mut self, sides: &[u8], both_ways: bool, time: Duration) {
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

    fn cut_ways(&mut self, ways: Vec<(HostId, HostId)>, sides: Option<Vec<u8>>, time: Duration) {
        self.divide(sides);
        for (one, other) in ways.clone() {
            let (Some(from), Some(to)) = (&self.hosts[one], &self.hosts[other]) else { continue };
            if self.rng.chance(500) {
                let notice = self.rng.millis(300, 12_000);
                let to = to.boot;
                self.queue.after(notice, Event::Inside(from.boot, Inside::LinkLost(to)));
            }
        }
        let cut = self.network.cut(ways);
        self.later(time, Step::Heal(cut));
    }

    fn flap(&mut self, one: HostId, other: HostId) {
        for (from, to) in [(one, other), (other, one)] {
            if let (Some(from), Some(to)) = (&self.hosts[from], &self.hosts[to]) {
                self.queue.after(Duration::ZERO, Event::Inside(from.boot, Inside::LinkLost(to.boot)));
            }
        }
    }

    // === a rolling restart behind somebody's back ===

    fn outage(&mut self, host: HostId, cut: bool) {
        let long = Duration::from_secs(120);
        let Some(process) = &self.hosts[host] else { return };
        let boot = process.boot;
        let end = if cut {
            let sides: Vec<_> = (0..self.hosts.len()).map(|other| u8::from(other == host)).collect();
            self.cut(&sides, true, long);
            Step::Heal(self.network.newest_cut())
        } else {
            self.pause(host, long);
            Step::Resume(boot)
        };
        let left = (0..self.hosts.len()).filter(|other| *other != host).collect();
        let begin = Timing::default().drop_time + self.rng.millis(500, 6_000);
        let outage = Outage { left, waiting: false, patience: 0, end: Box::new(end) };
        self.later(begin, Step::Roll(outage));
    }

    fn roll(&mut self, mut outage: Outage) {
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

    // === the end of all faults ===

    /// Nothing is cut, stopped or dead any more.
    pub(super) fn heal_everything(&mut self) {
        self.say(format_args!("everything heals"));
        (self.armed.in_commit, self.armed.witnessed, self.armed.donor_of) = (None, None, None);
        self.network.heal_all();
        self.release();
        for host in 0..self.hosts.len() {
            match &self.hosts[host] {
                Some(process) if process.paused => self.resume(process.boot),
                Some(_) => {}
                None => self.start(host),
            }
        }
    }
}
