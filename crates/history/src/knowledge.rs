//! Who must know what: the one place that decides what may be demanded.
//!
//! An effect must show itself to a later reader as long as one process that certainly knows of it was up and within
//! the reader's reach all the time. Faults that only slow things down excuse nothing. A real split excuses: its sides
//! do not know of each other until all cuts are healed and the nodes agree.

use std::time::Duration;

use crate::{Action, Division, History, Life, Micros, Operation, OperationId, Outcome, ProcessId, SessionId};

/// An end that began so shortly before nodes are compared may still be on its way: it may be lost once and sent again.
pub const ENDING: Duration = Duration::from_secs(2);

/// After so much harmony everybody has what one of them had, also where commits settle at once.
const SPREADING: Duration = Duration::from_secs(4);

/// A history and what follows from it.
pub struct Knowledge<'h> {
    /// The history.
    pub history: &'h History,
    of_session: Vec<Vec<OperationId>>,
}

impl<'h> Knowledge<'h> {
    /// What follows from `history`.
    pub fn of(history: &'h History) -> Self {
        let mut of_session = vec![Vec::new(); history.sessions.len()];
        for (id, operation) in history.operations.iter().enumerate() {
            of_session[operation.session].push(id);
        }
        Self { history, of_session }
    }

    /// The operations on one session, in the order in which they began.
    pub fn operations_of(
        &self,
        session: SessionId,
    ) -> impl DoubleEndedIterator<Item = (OperationId, &'h Operation)> {
        self.of_session[session].iter().map(|id| (*id, &self.history.operations[*id]))
    }

    /// Whether what `operation` did is still held by a live process: while one lives, it is never lost.
    pub fn survives(&self, operation: &Operation, at: Micros) -> bool {
        operation.over().is_some_and(|over| over <= at) && !self.bearers(operation, at).0.is_empty()
    }

    /// Whether a request that ran on `reader` from `from` to `to` must have seen what `operation` did.
    pub fn must_show(&self, operation: &Operation, reader: ProcessId, from: Micros, to: Micros) -> bool {
        if !self.settles_everywhere(operation) || operation.over().is_none_or(|over| over > from) {
            return false;
        }
        let (bearers, since) = self.bearers(operation, from);
        bearers.iter().any(|bearer| {
            *bearer == reader
                || self.was_up(*bearer, since, to) && self.were_together(*bearer, reader, since, to)
        })
    }

    /// Whether `later` certainly knew of `earlier` when it was committed.
    pub fn is_older(&self, earlier: &Operation, later: &Operation) -> bool {
        let (Some(process), Some(ended)) = (later.process, later.committed.or(later.ended)) else {
            return false;
        };
        self.must_show(earlier, process, later.committed.unwrap_or(later.began), ended)
    }

    /// Whether a process lived and was not stopped in that time.
    pub fn was_up(&self, process: ProcessId, from: Micros, to: Micros) -> bool {
        (self.history.life(process))
            .is_some_and(|life| life.lasts_until(to) && !life.is_stopped_within(from, to))
    }

    /// Whether no cut may have divided two processes in that time.
    pub fn were_together(&self, one: ProcessId, other: ProcessId, from: Micros, to: Micros) -> bool {
        let node = |process| self.history.life(process).map(|life| life.node);
        let (Some(one), Some(other)) = (node(one), node(other)) else { return false };
        one == other || self.divisions_in(from, to).all(|division| division.leaves_together(one, other))
    }

    /// Whether any cut may have divided the cluster in that time.
    pub fn was_divided(&self, from: Micros, to: Micros) -> bool {
        self.divisions_in(from, to).next().is_some()
    }

    /// Whether the session was created, and nobody asked for its end until `at`.
    pub fn is_alive(&self, session: SessionId, at: Micros) -> bool {
        let record = &self.history.sessions[session];
        let ends = |operation: &Operation| {
            matches!(operation.action, Action::Logout)
                && operation.began <= at
                && operation.outcome != Outcome::Failed
        };
        self.history.operations[record.created_by].outcome == Outcome::Ok
            && !self.operations_of(session).any(|(_, operation)| ends(operation))
            && !self.has_ended(session, at)
    }

    /// Whether some node said so shortly before `at` that the session ended that others may not know it yet.
    pub fn is_ending(&self, session: SessionId, at: Micros) -> bool {
        let shortly = ENDING.as_micros() as Micros;
        self.history.sessions[session].ended_at.is_some_and(|ended| ended <= at && at - ended < shortly)
    }

    /// Whether some node said until `at` that the session ended.
    pub fn has_ended(&self, session: SessionId, at: Micros) -> bool {
        self.history.sessions[session].ended_at.is_some_and(|ended| ended <= at)
    }

    fn divisions_in(&self, from: Micros, to: Micros) -> impl Iterator<Item = &Division> {
        self.history.divisions.iter().filter(move |division| division.overlaps(from, to))
    }

    /// Whether the operation is acknowledged only when all members know of it.
    fn settles_everywhere(&self, operation: &Operation) -> bool {
        !self.history.asynchronous || matches!(operation.action, Action::Logout | Action::Login(..))
    }

    /// The live processes that certainly know at `at` what `operation` did, and since when they do.
    fn bearers(&self, operation: &Operation, at: Micros) -> (Vec<ProcessId>, Micros) {
        let Some(settled) = operation.settled.map(|settled| settled.at).or_else(|| operation.over()) else {
            return (Vec::new(), at);
        };
        let (mut bearers, mut since) = (self.first_bearers(operation, settled), settled);
        let spreading = match self.settles_everywhere(operation) {
            true => 0,
            false => SPREADING.as_micros() as Micros,
        };
        for harmony in &self.history.harmonies {
            let end = harmony.to.min(at);
            if end < settled.max(harmony.from) + spreading || harmony.from > at {
                continue;
            }
            if !bearers.iter().any(|bearer| harmony.processes.contains(bearer)) {
                return (Vec::new(), at);
            }
            (bearers, since) = (harmony.processes.clone(), end);
        }
        bearers.retain(|process| self.history.life(*process).is_some_and(|life| life.lasts_until(at)));
        (bearers, since)
    }

    /// Who held the change when it settled.
    fn first_bearers(&self, operation: &Operation, settled: Micros) -> Vec<ProcessId> {
        let watched = operation.holders.clone();
        let mut bearers = watched.unwrap_or_else(|| self.awaited(operation, settled));
        let Some(actor) = operation.process else { return bearers };
        // On another side, and in a stopped process, a copy may look the same without knowing of it.
        let from = if operation.holders.is_some() { settled } else { operation.began };
        bearers.retain(|bearer| self.were_together(*bearer, actor, from, settled));
        let counted = operation.settled.map(|settled| settled.copies as usize);
        if counted.is_some_and(|counted| bearers.len() > counted) {
            bearers.retain(|bearer| *bearer == actor);
        }
        bearers
    }

    /// Where nobody watched: all processes that were up and known to the cluster all the time.
    fn awaited(&self, operation: &Operation, settled: Micros) -> Vec<ProcessId> {
        let asynchronous = !self.settles_everywhere(operation);
        let awaited = |life: &&Life| {
            let is_actor = operation.process == Some(life.process);
            is_actor
                || !asynchronous
                    && life.from <= operation.began
                    && life.lasts_until(settled)
                    && !life.is_stopped_within(operation.began, settled)
                    && self.has_come_back(life, operation.began)
        };
        self.history.lives.iter().filter(awaited).map(|life| life.process).collect()
    }

    /// Whether the cluster was of one mind since the process went on from its last pause: until then it may be
    /// out, and nobody waits for it.
    fn has_come_back(&self, life: &Life, at: Micros) -> bool {
        let paused = life.pauses.iter().filter(|(begin, _)| *begin <= at);
        let Some(resumed) = paused.filter_map(|(_, end)| *end).max() else { return true };
        (self.history.harmonies.iter())
            .any(|harmony| harmony.to > resumed && harmony.from <= at && harmony.to >= resumed)
    }
}
