//! Who must know what: the one place that decides what a checker may demand.
//!
//! An effect must show itself to a later reader as long as one process that certainly knows of it was up
//! and within the reader's reach all the time. Faults that only slow things down excuse nothing. A real
//! split excuses: its sides do not know of each other until all cuts are healed and the nodes agree.

use std::time::Duration;

use sessile_core::{Boot, Instant, Mode};

use crate::history::{Action, Division, History, Life, Op, OpId, Outcome, SessionId};

/// After so much harmony everybody has what one of them had, also where commits settle at once.
const SPREADING: Duration = Duration::from_secs(4);

/// A history and what follows from it.
pub(super) struct Knowledge<'h> {
    pub(super) history: &'h History,
    ops_of: Vec<Vec<OpId>>,
}

impl<'h> Knowledge<'h> {
    pub(super) fn of(history: &'h History) -> Self {
        let mut ops_of = vec![Vec::new(); history.sessions.len()];
        for (id, op) in history.ops.iter().enumerate() {
            ops_of[op.session].push(id);
        }
        Self { history, ops_of }
    }

    pub(super) fn ops_of(&self, session: SessionId) -> impl Iterator<Item = (OpId, &'h Op)> {
        self.ops_of[session].iter().map(|id| (*id, &self.history.ops[*id]))
    }

    /// Whether what `op` did is still held by a live process: while one lives, it is never lost.
    pub(super) fn survives(&self, op: &Op, at: Instant) -> bool {
        op.over().is_some_and(|over| over <= at) && !self.bearers(op, at).0.is_empty()
    }

    /// Whether a request that ran on `reader` from `from` to `to` must have seen what `op` did.
    pub(super) fn must_show(&self, op: &Op, reader: Boot, from: Instant, to: Instant) -> bool {
        if !self.settles_everywhere(op) || op.over().is_none_or(|over| over > from) {
            return false;
        }
        let (bearers, since) = self.bearers(op, from);
        bearers.iter().any(|bearer| {
            *bearer == reader
                || self.was_up(*bearer, since, to) && self.were_together(*bearer, reader, since, to)
        })
    }

    /// Whether `later` certainly knew of `earlier` when it was committed.
    pub(super) fn is_older(&self, earlier: &Op, later: &Op) -> bool {
        let (Some(boot), Some(committed)) = (later.boot, later.committed) else { return false };
        self.must_show(earlier, boot, committed, committed)
    }

    /// Whether a process lived and was not stopped in that time.
    pub(super) fn was_up(&self, boot: Boot, from: Instant, to: Instant) -> bool {
        let Some(life) = self.history.life(boot) else { return false };
        let stopped =
            |(begin, end): &(Instant, Option<Instant>)| *begin <= to && end.is_none_or(|end| end >= from);
        lives_at(life, to) && !life.pauses.iter().any(stopped)
    }

    /// Whether no cut may have divided two processes in that time.
    pub(super) fn were_together(&self, one: Boot, other: Boot, from: Instant, to: Instant) -> bool {
        let host = |boot| self.history.life(boot).map(|life| life.host);
        let (Some(one), Some(other)) = (host(one), host(other)) else { return false };
        let same_side =
            |division: &Division| division.sides.as_ref().is_some_and(|sides| sides[one] == sides[other]);
        one == other
            || self.history.divisions.iter().filter(|division| overlaps(division, from, to)).all(same_side)
    }

    /// Whether any cut may have divided the cluster in that time.
    pub(super) fn was_divided(&self, from: Instant, to: Instant) -> bool {
        self.history.divisions.iter().any(|division| overlaps(division, from, to))
    }

    /// Whether the session was created, and whether anybody asked for its end until `at`.
    pub(super) fn is_alive(&self, session: SessionId, at: Instant) -> bool {
        let created = &self.history.ops[self.history.sessions[session].created_by];
        let ends =
            |op: &Op| matches!(op.action, Action::Logout) && op.began <= at && op.outcome != Outcome::Failed;
        created.outcome == Outcome::Done
            && !self.ops_of(session).any(|(_, op)| ends(op))
            && !self.has_expired(session, at)
    }

    /// Whether some node said until `at` that the session expired.
    pub(super) fn has_expired(&self, session: SessionId, at: Instant) -> bool {
        let key = self.history.sessions[session].key;
        self.history.endings.iter().any(|ending| ending.key == key && ending.at <= at)
    }

    /// Whether the operation is acknowledged only when all members know of it.
    fn settles_everywhere(&self, op: &Op) -> bool {
        self.history.mode == Mode::Synchronous || matches!(op.action, Action::Logout | Action::Login(..))
    }

    /// The live processes that certainly know at `at` what `op` did, and since when they do.
    fn bearers(&self, op: &Op, at: Instant) -> (Vec<Boot>, Instant) {
        let Some((settled, receipt)) = op.receipt else { return (Vec::new(), at) };
        let (mut bearers, mut since) = (op.holders.clone(), settled);
        // On another side, and in a stopped process, a copy may look the same without knowing of it.
        if let Some(actor) = op.boot {
            bearers.retain(|bearer| self.were_together(*bearer, actor, settled, settled));
            if bearers.len() > receipt.copies as usize {
                bearers.retain(|bearer| *bearer == actor);
            }
        }
        let spreading = if self.settles_everywhere(op) { Duration::ZERO } else { SPREADING };
        for harmony in &self.history.harmonies {
            let end = harmony.to.min(at);
            if end < settled.max(harmony.from).plus(spreading) || harmony.from > at {
                continue;
            }
            if !bearers.iter().any(|bearer| harmony.boots.contains(bearer)) {
                return (Vec::new(), at);
            }
            (bearers, since) = (harmony.boots.clone(), end);
        }
        bearers.retain(|boot| self.history.life(*boot).is_some_and(|life| lives_at(life, at)));
        (bearers, since)
    }
}

fn lives_at(life: &Life, at: Instant) -> bool {
    life.to.is_none_or(|end| end > at)
}

fn overlaps(division: &Division, from: Instant, to: Instant) -> bool {
    division.from <= to && division.to.is_none_or(|end| end >= from)
}
