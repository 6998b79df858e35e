//! The observer: checks whether all nodes agree, and advances the phases of the run.

use std::collections::BTreeMap;
use std::time::Duration;

use sessile_core::{Ack, Incarnation, Instant};

use crate::event::{Event, Outside};
use crate::history::{Action, Attribute, Op, Outcome, SessionId, SimAgreement, SimDivision, SimHolding};
use crate::world::World;
use crate::world::requests::seen;

/// Interval of the polls.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Operations of a seed, at the least.
const MIN_OPERATIONS: usize = 200;

/// Faults and operations go on for so long at the most.
const LONGEST_UNREST: Duration = Duration::from_secs(150);

/// After the last fault healed, all nodes must agree within this time.
const HEALING_TIME: Duration = Duration::from_secs(90);

/// SimAgreement counts as lasting after this time.
const SETTLING_TIME: Duration = Duration::from_secs(3);

/// A session unused for this long is at rest.
const RESTING_TIME: Duration = Duration::from_secs(2);

/// Long enough for every session of the short times up to 30 s to expire.
const EXPIRY_TIME: Duration = Duration::from_millis(30_000 * 5 / 4 + 8_000);

/// Sessions that are listed at once.
const LISTED: usize = 10_000;

/// The phases of a run, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Clients work and faults happen.
    #[default]
    Faults,
    /// All faults are over; the nodes agree again.
    Healing,
    /// Every session is read on every node.
    Reading,
    /// Every living session is written once more.
    Writing,
    /// No client sends requests.
    Quiet(Instant),
    /// The end.
    Over,
}

impl World {
    /// A cut begins: the cluster may be divided until all nodes agree again.
    pub(super) fn divide(&mut self, sides: Option<Vec<u8>>) {
        let now = self.now();
        match self.history.divisions.last_mut().filter(|division| division.to.is_none()) {
            Some(division) if division.sides != sides => division.sides = None,
            Some(_) => {}
            None => self.history.divisions.push(SimDivision { from: now, to: None, sides }),
        }
    }

    pub(super) fn observe(&mut self) {
        self.question_listeners();
        let incarnations = self.agreement();
        self.note_agreement(incarnations.clone());
        self.look_at_numbers(incarnations.is_some());
        if self.phase == Phase::Faults && self.history.mode == Ack::Synchronous {
            self.compare_resting_sessions();
        }
        self.phase = self.next_phase(incarnations.is_some());
        self.queue.after(LOOK_EVERY, Event::Outside(Outside::Observe));
    }

    /// The live processes, if nothing is cut or stopped and all are ready and know exactly each other.
    fn agreement(&self) -> Option<Vec<Incarnation>> {
        let mut incarnations: Vec<_> =
            self.hosts.iter().flatten().map(|process| process.incarnation).collect();
        incarnations.sort_unstable();
        let agrees = |process: &crate::process::Process| {
            process.is_well() && self.members_of(process).is_some_and(|members| members == incarnations)
        };
        (!self.network.is_cut() && self.hosts.iter().flatten().all(agrees)).then_some(incarnations)
    }

    /// The members as a process sees them, if it sees nothing but serving ones.
    fn members_of(&self, process: &crate::process::Process) -> Option<Vec<Incarnation>> {
        let rows = process.node.members(process.time(self.now()));
        let mut incarnations = Vec::new();
        for row in rows {
            if !is_ready(&row) {
                return None;
            }
            incarnations.push(row.incarnation);
        }
        incarnations.sort_unstable();
        Some(incarnations)
    }

    fn note_agreement(&mut self, incarnations: Option<Vec<Incarnation>>) {
        let now = self.now();
        let last = self.history.agreements.last_mut();
        let Some(incarnations) = incarnations else { return };
        match last.filter(|last| now.since(last.to) <= LOOK_EVERY && last.incarnations == incarnations) {
            Some(last) => last.to = now,
            None => {
                self.say(format_args!("agreement of {incarnations:?}"));
                self.history.agreements.push(SimAgreement { from: now, to: now, incarnations });
            }
        }
        if let Some(division) = self.history.divisions.last_mut().filter(|division| division.to.is_none()) {
            division.to = Some(now);
        }
    }

    fn next_phase(&mut self, agrees: bool) -> Phase {
        let now = self.now();
        match self.phase {
            Phase::Faults => {
                let enough = self.armed.exhausted && self.history.ops.len() >= MIN_OPERATIONS;
                let late = now > Instant::ORIGIN.plus(LONGEST_UNREST);
                if !(late || enough && self.rng.chance(30)) {
                    return Phase::Faults;
                }
                self.heal_everything();
                self.healed_at = now;
                Phase::Healing
            }
            Phase::Healing => {
                let settled = agrees && self.is_settled(now) && !self.anything_pending();
                if !settled {
                    return self.wait_for_healing(now);
                }
                self.read_everything();
                Phase::Reading
            }
            Phase::Reading if self.anything_pending() => Phase::Reading,
            Phase::Reading => {
                self.write_once_more();
                Phase::Writing
            }
            Phase::Writing if self.anything_pending() => Phase::Writing,
            Phase::Writing => Phase::Quiet(now),
            Phase::Quiet(since) => self.quiet(now, since),
            Phase::Over => Phase::Over,
        }
    }

    fn is_settled(&self, now: Instant) -> bool {
        self.history
            .agreements
            .last()
            .is_some_and(|last| now.since(last.from) >= SETTLING_TIME && last.to == now)
            && self.hosts[..self.plan.hosts].iter().all(Option::is_some)
    }

    fn wait_for_healing(&mut self, now: Instant) -> Phase {
        if now.since(self.healed_at) < HEALING_TIME {
            return Phase::Healing;
        }
        let mut words = String::from("the nodes do not agree long after the last fault:");
        for (host, process) in self.hosts.iter().enumerate() {
            let Some(process) = process else { continue };
            let rows = process.node.members(process.time(now));
            let rows: Vec<_> = rows.iter().map(|row| format!("{} {}", row.name, row.state)).collect();
            words += &format!(" n{host} {:?} sees [{}];", process.node.state(), rows.join(", "));
        }
        self.alarm(words);
        Phase::Over
    }

    fn anything_pending(&self) -> bool {
        self.history.ops.iter().any(|op| op.outcome == Outcome::Pending)
    }

    fn read_everything(&mut self) {
        self.say(format_args!("every session is read on every node"));
        for (session, secret) in self.all_sessions() {
            for host in 0..self.plan.hosts {
                self.start_final(session, secret, Action::Read, host);
            }
        }
    }

    fn write_once_more(&mut self) {
        self.history.final_writes_from = self.history.ops.len();
        for (session, secret) in self.living_sessions() {
            let host = self.rng.index(self.plan.hosts);
            let op = self.history.ops.len();
            let write = Action::Write(vec![(Attribute::Member(op as u64), Some(op as u64))]);
            self.start_final(session, secret, write, host);
        }
    }

    fn quiet(&mut self, now: Instant, since: Instant) -> Phase {
        if self.history.healed.is_empty() && now.since(since) >= SETTLING_TIME {
            self.history.healed = self.all_holdings();
        }
        if now.since(since) < EXPIRY_TIME {
            return Phase::Quiet(since);
        }
        self.history.last = self.all_holdings();
        self.look_for_stuck_requests();
        Phase::Over
    }

    /// Long after the last operation no request may still wait for anything.
    fn look_for_stuck_requests(&mut self) {
        let stuck: Vec<_> = (self.hosts.iter().flatten())
            .flat_map(|process| process.requests.keys().map(|op| (process.incarnation, *op)))
            .collect();
        for (incarnation, op) in stuck {
            self.alarm(format!("a request waits for ever on {incarnation}: {}", self.history.describe(op)));
        }
    }

    /// While all nodes agree, copies of a resting session must be equal.
    fn compare_resting_sessions(&mut self) {
        let now = self.now();
        let settled = |last: &SimAgreement| last.to == now && now.since(last.from) >= SETTLING_TIME;
        if !self.history.agreements.last().is_some_and(settled) {
            return;
        }
        // An expiring session disappears from one node after the other.
        let rests = |op: &Op, max_inactive: Duration| {
            let over = op.committed.or(op.ended).filter(|_| op.outcome != Outcome::Pending);
            over.map(|over| now.since(over))
                .is_some_and(|rest| rest >= RESTING_TIME && rest < max_inactive - max_inactive / 10)
        };
        let requests = self.hosts.iter().flatten().flat_map(|process| process.requests.keys());
        let worked_on: Vec<_> = requests.map(|op| self.history.ops[*op].session).collect();
        let is_resting = |session: &SessionId| {
            let max_inactive = self.history.sessions[*session].max_inactive;
            !worked_on.contains(session)
                && self.history.ops_of(*session).all(|(_, op)| rests(op, Duration::MAX))
                && self
                    .history
                    .ops_of(*session)
                    .any(|(_, op)| op.committed.is_some() && rests(op, max_inactive))
        };
        let living = self.living_sessions().into_iter().map(|(session, _)| session);
        let resting: Vec<_> = living.filter(is_resting).collect();
        let holdings = self.holdings(&resting);
        let pairs = holdings.windows(2).filter(|pair| pair[0].sessions != pair[1].sessions);
        let pairs: Vec<_> = pairs.map(|pair| [pair[0].clone(), pair[1].clone()]).collect();
        self.history.disagreements.extend(pairs);
    }

    /// The sessions of every process, including sessions that no client knows.
    fn all_holdings(&self) -> Vec<SimHolding> {
        let all: Vec<_> = (0..self.history.sessions.len()).collect();
        let keys: BTreeMap<_, _> = all.iter().map(|id| (self.history.sessions[*id].key, *id)).collect();
        let mut holdings = self.holdings(&all);
        for (process, holding) in self.hosts.iter().flatten().zip(&mut holdings) {
            let listed = process.node.sessions(None, LISTED, process.time(self.now()));
            let known = |key| keys.get(key).is_some_and(|id: &SessionId| holding.sessions.contains_key(id));
            holding.strangers = listed.iter().filter(|row| !known(&row.key)).count();
        }
        holdings
    }

    fn holdings(&self, sessions: &[SessionId]) -> Vec<SimHolding> {
        let holding = |process: &crate::process::Process| {
            let copy = |id: &SessionId| {
                let fields = process.peek(self.history.sessions[*id].key)?;
                Some((*id, seen(&fields)))
            };
            let sessions = sessions.iter().filter_map(copy).collect();
            SimHolding { incarnation: process.incarnation, at: self.now(), sessions, strangers: 0 }
        };
        self.hosts.iter().flatten().map(holding).collect()
    }
}

/// A suspected member may be about to be removed, so the nodes do not agree.
fn is_ready(row: &sessile_core::MemberRow) -> bool {
    row.state == "ready"
}
