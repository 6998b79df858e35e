//! Builds a history by hand: three nodes with processes 1 to 3, and time in whole steps.

use sessile_history::{
    Action, Agreement, Attribute, BrokenPromise, BrokenPromiseKind, Division, History, Holding, Life,
    Operation, OperationId, OperationOutcome, ProcessId, Seen, SessionId, SessionRecord, judge,
};

pub(crate) const R0: Attribute = Attribute::Register(0);

/// A copy of session 0, without its canary; or none.
pub(crate) type Copy<'c> = Option<&'c [(Attribute, u64)]>;

/// The canary of every session, plus its number.
const CANARY: u64 = 900;

#[derive(Default)]
pub(crate) struct ByHand {
    pub(crate) history: History,
    now: u64,
}

impl ByHand {
    /// Three nodes that live, and one session, 0.
    pub(crate) fn new() -> Self {
        let mut hand = Self::default();
        for node in 0..3 {
            hand.history.nodes.push(format!("tc0{}", node + 1));
            let process = node as ProcessId + 1;
            hand.history.lives.push(Life { process, node, from: 0, to: None, pauses: Vec::new() });
        }
        hand.session();
        hand
    }

    /// One more session, made at process 1.
    pub(crate) fn session(&mut self) -> SessionId {
        let session = self.history.sessions.len();
        let (key, canary) = (format!("key{session}"), CANARY + session as u64);
        let created_by = self.history.operations.len();
        self.history.sessions.push(SessionRecord { key, canary, created_by, ended_at: None });
        self.answered(session, 1, Action::Create, OperationOutcome::Ok);
        session
    }

    /// Advances the time; returns the moment.
    pub(crate) fn tick(&mut self) -> u64 {
        self.now += 10;
        self.now
    }

    /// An operation from one moment to the next.
    pub(crate) fn answered(
        &mut self,
        session: SessionId,
        process: ProcessId,
        action: Action,
        outcome: OperationOutcome,
    ) -> OperationId {
        let began = self.tick();
        let ended = self.tick();
        let mut operation = Operation::new(0, session, action, began);
        (operation.ended, operation.process, operation.outcome) = (Some(ended), Some(process), outcome);
        self.history.operations.push(operation);
        self.history.operations.len() - 1
    }

    /// A write of session 0 that was acknowledged.
    pub(crate) fn write(&mut self, process: ProcessId, value: u64) -> OperationId {
        self.answered(0, process, Action::Write(vec![(R0, Some(value))]), OperationOutcome::Ok)
    }

    /// A read of session 0 that finds the canary and these attributes.
    pub(crate) fn read(&mut self, process: ProcessId, seen: &[(Attribute, u64)]) -> OperationId {
        let id = self.answered(0, process, Action::Read, OperationOutcome::Ok);
        self.history.operations[id].seen = Some(copy(seen));
        id
    }

    /// A request for session 0 that finds no session.
    pub(crate) fn absent(&mut self, process: ProcessId) -> OperationId {
        self.answered(0, process, Action::Read, OperationOutcome::Absent)
    }

    pub(crate) fn logout(&mut self, process: ProcessId) -> OperationId {
        self.answered(0, process, Action::Logout, OperationOutcome::Ok)
    }

    pub(crate) fn killed(&mut self, process: ProcessId) {
        let now = self.tick();
        self.life(process).to = Some(now);
    }

    pub(crate) fn stopped(&mut self, process: ProcessId) {
        let now = self.tick();
        self.life(process).pauses.push((now, None));
    }

    pub(crate) fn went_on(&mut self, process: ProcessId) {
        let now = self.tick();
        if let Some(pause) = self.life(process).pauses.last_mut() {
            pause.1 = Some(now);
        }
    }

    pub(crate) fn cut(&mut self, sides: Option<Vec<u8>>) {
        let from = self.tick();
        self.history.divisions.push(Division { from, to: None, sides });
    }

    pub(crate) fn agreement(&mut self, processes: &[ProcessId]) {
        let (from, to) = (self.tick(), self.tick());
        self.history.agreements.push(Agreement { from, to, processes: processes.to_vec() });
        if let Some(division) = self.history.divisions.last_mut() {
            division.to.get_or_insert(to);
        }
    }

    /// At the end, these processes hold this of session 0, or nothing.
    pub(crate) fn held(&mut self, copies: &[(ProcessId, Copy<'_>)]) {
        let at = self.tick();
        for (process, seen) in copies {
            let sessions = seen.iter().map(|seen| (0, copy(seen))).collect();
            self.history.holdings.push(Holding { process: *process, at, sessions });
        }
    }

    pub(crate) fn broken_promises(&self) -> Vec<BrokenPromise> {
        judge(&self.history).broken_promises
    }

    /// The kinds that are found, each once.
    pub(crate) fn kinds(&self) -> Vec<BrokenPromiseKind> {
        let mut kinds: Vec<_> = self.broken_promises().iter().map(|finding| finding.kind).collect();
        kinds.dedup();
        kinds
    }

    fn life(&mut self, process: ProcessId) -> &mut Life {
        self.history.lives.iter_mut().find(|life| life.process == process).expect("it lives")
    }
}

/// A read of session 0.
pub(crate) fn copy(seen: &[(Attribute, u64)]) -> Seen {
    seen.iter().copied().chain([(Attribute::Canary, CANARY)]).collect()
}
