//! Scheduling of faults, and the final healing. `deaths` and `outages` implement the faults.

use std::time::Duration;

use crate::event::{Event, Outside, Step};
use crate::history::HostId;
use crate::plan::Fault;
use crate::process::Process;
use crate::world::World;
use crate::world::observe::Phase;

/// A fault that cannot happen now is tried again after this time.
const RETRY: Duration = Duration::from_millis(700);

/// Most retries, over all faults of a run.
const MAX_RETRIES: u32 = 60;

/// Faults that wait for their moment, and what is still to come.
#[derive(Default)]
pub(super) struct Armed {
    /// Dies at its next commit; comes back after the time.
    pub(super) in_commit: Option<(HostId, Duration)>,
    /// Dies at its next write of a register, which one other sees; comes back after the time.
    pub(super) witnessed: Option<(HostId, Duration)>,
    /// The donor of its next transfer dies; comes back after the time.
    pub(super) donor_of: Option<(HostId, Duration)>,
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
            self.counters.faults += 1;
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
            | Fault::Outage { host, .. }
            | Fault::Twin { host, .. } => self.hosts[*host].as_ref().is_some_and(|process| !process.paused),
            _ => true,
        }
    }

    /// Whether the host's process may end: another one that has everything must go on.
    pub(super) fn may_end(&self, host: HostId) -> bool {
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
                    let incarnation = process.incarnation;
                    let early = self.rng.millis(0, 600);
                    self.later(
                        (time + Duration::from_millis(200)).saturating_sub(early),
                        Step::Kill(incarnation),
                    );
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
            Fault::Choke { from, to, time } => {
                self.network.choke(from, to);
                self.later(time, Step::Unchoke(from, to));
            }
            Fault::FullQueue { from, to, share, time } => {
                self.network.fill(from, to, share);
                self.later(time, Step::Drain(from, to));
            }
            Fault::Twin { host, time } => self.twin(host, time),
            Fault::ClockJump => {}
        }
    }

    pub(super) fn later(&mut self, delay: Duration, step: Step) {
        self.queue.after(delay, Event::Outside(Outside::Step(step)));
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Return(host) => self.start(host),
            Step::Twin(host) if self.phase == Phase::Faults => self.start_twin(host),
            Step::Twin(_) => {}
            Step::Pause(host, time) if self.phase == Phase::Faults => self.pause(host, time),
            Step::Pause(..) => {}
            Step::Resume(incarnation) => self.resume(incarnation),
            Step::Kill(incarnation) => {
                let Some(host) = self.host_of(incarnation) else { return };
                if self.phase == Phase::Faults && self.may_end(host) {
                    self.kill(host);
                } else {
                    // The frames of a doomed process were lost; a spared process is heard again.
                    self.lost.retain(|(from, _)| *from != incarnation);
                }
            }
            Step::Heal(cut) => {
                self.say(format_args!("cut {cut} heals"));
                self.network.heal(cut);
                self.release();
            }
            Step::Drain(from, to) => self.network.drain(from, to),
            Step::Unchoke(from, to) => self.network.unchoke(from, to),
            Step::Flap(one, other) => self.flap(one, other),
            Step::Roll(outage) => self.roll(outage),
        }
    }

    /// Nothing is cut, stopped or dead any more.
    pub(super) fn heal_everything(&mut self) {
        self.say(format_args!("everything heals"));
        (self.armed.in_commit, self.armed.witnessed, self.armed.donor_of) = (None, None, None);
        self.network.heal_all();
        self.settle_twins();
        self.release();
        for host in 0..self.plan.hosts {
            match &self.hosts[host] {
                Some(process) if process.paused => self.resume(process.incarnation),
                Some(_) => {}
                None => self.start(host),
            }
        }
    }
}
