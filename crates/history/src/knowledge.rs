//! Decides which process must know which operation: the one place that defines the requirements.
//!
//! An effect must be visible to a later reader if one process that certainly knows of it was up and reachable
//! for the reader all the time. Faults that only delay excuse nothing. A real split excuses: its sides do not
//! know each other's writes until all cuts are healed and the nodes agree.

use std::time::Duration;

use crate::{
    Action, Division, History, Life, Micros, Operation, OperationId, OperationOutcome, ProcessId, SessionId,
};

/// An end that began this shortly before a comparison may still be in flight: its frame may be lost once and
/// sent again.
pub const ENDING: Duration = Duration::from_secs(2);

/// After this long an agreement all members have every change, even in mode `async`.
const SPREADING: Duration = Duration::from_secs(4);

/// A history and the knowledge derived from it.
pub struct Knowledge<'h> {
    /// The history.
    pub history: &'h History,
    of_session: Vec<Vec<OperationId>>,
}

impl<'h> Knowledge<'h> {
    /// Derives the knowledge from `history`.
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

    /// Whether a live process still holds the effect of `operation`: while one lives, the effect must not be
    /// lost.
    pub fn survives(&self, operation: &Operation, at: Micros) -> bool {
        operation.over().is_some_and(|over| over <= at) && !self.bearers(operation, at).0.is_empty()
    }

    /// Whether a request that ran on `reader` from `from` to `to` must have seen the effect of `operation`.
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

    /// Whether a process ran without a stop in that time.
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

    /// Whether the session was created and no client requested its end until `at`.
    pub fn is_alive(&self, session: SessionId, at: Micros) -> bool {
        let record = &self.history.sessions[session];
        let ends = |operation: &Operation| {
            matches!(operation.action, Action::Logout)
                && operation.began <= at
                && operation.outcome != OperationOutcome::Failed
        };
        self.history.operations[record.created_by].outcome == OperationOutcome::Ok
            && !self.operations_of(session).any(|(_, operation)| ends(operation))
            && !self.has_ended(session, at)
    }

    /// Whether a node reported the session's end so shortly before `at` that others may not know it yet.
    pub fn is_ending(&self, session: SessionId, at: Micros) -> bool {
        let shortly = ENDING.as_micros() as Micros;
        self.history.sessions[session].ended_at.is_some_and(|ended| ended <= at && at - ended < shortly)
    }

    /// Whether a node reported the session's end until `at`.
    pub fn has_ended(&self, session: SessionId, at: Micros) -> bool {
        self.history.sessions[session].ended_at.is_some_and(|ended| ended <= at)
    }

    fn divisions_in(&self, from: Micros, to: Micros) -> impl Iterator<Item = &Division> {
        self.history.divisions.iter().filter(move |division| division.overlaps(from, to))
    }

    /// Whether the operation is acknowledged only after all members know it.
    fn settles_everywhere(&self, operation: &Operation) -> bool {
        !self.history.asynchronous || matches!(operation.action, Action::Logout | Action::Login(..))
    }

    /// The live processes that certainly know the effect of `operation` at `at`, and since when.
    fn bearers(&self, operation: &Operation, at: Micros) -> (Vec<ProcessId>, Micros) {
        let Some(settled) = operation.settled.map(|settled| settled.at).or_else(|| operation.over()) else {
            return (Vec::new(), at);
        };
        let (mut bearers, mut since) = (self.first_bearers(operation, settled), settled);
        let spreading = match self.settles_everywhere(operation) {
            true => 0,
            false => SPREADING.as_micros() as Micros,
        };
        for agreement in &self.history.agreements {
            let end = agreement.to.min(at);
            if end < settled.max(agreement.from) + spreading || agreement.from > at {
                continue;
            }
            if !bearers.iter().any(|bearer| agreement.processes.contains(bearer)) {
                return (Vec::new(), at);
            }
            (bearers, since) = (agreement.processes.clone(), end);
        }
        bearers.retain(|process| self.history.life(*process).is_some_and(|life| life.lasts_until(at)));
        (bearers, since)
    }

    /// The processes that held the change when it settled.
    fn first_bearers(&self, operation: &Operation, settled: Micros) -> Vec<ProcessId> {
        let watched = operation.holders.clone();
        let mut bearers = watched.unwrap_or_else(|| self.awaited(operation, settled));
        let Some(actor) = operation.process else { return bearers };
        // On another side, or in a stopped process, a copy may look equal without knowledge of the change.
        let from = if operation.holders.is_some() { settled } else { operation.began };
        bearers.retain(|bearer| self.were_together(*bearer, actor, from, settled));
        let counted = operation.settled.map(|settled| settled.copies as usize);
        if counted.is_some_and(|counted| bearers.len() > counted) {
            bearers.retain(|bearer| *bearer == actor);
        }
        bearers
    }

    /// Without an observer: all processes that were up and members all the time.
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

    /// Whether all nodes agreed since the process resumed from its last pause: until then it may be removed,
    /// and no commit waits for it.
    fn has_come_back(&self, life: &Life, at: Micros) -> bool {
        let paused = life.pauses.iter().filter(|(begin, _)| *begin <= at);
        let Some(resumed) = paused.filter_map(|(_, end)| *end).max() else { return true };
        (self.history.agreements.iter())
            .any(|agreement| agreement.to > resumed && agreement.from <= at && agreement.to >= resumed)
    }
}
