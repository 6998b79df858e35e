//! What the simulator's own checkers ask of a history, in the words of the core.

use sessile_core::{Incarnation, Instant};
use sessile_history::Knowledge as Known;

use crate::history::{History, Op, OpId, SessionId};

/// A history, and what follows from what clients saw of it.
pub(super) struct Knowledge<'h> {
    pub(super) history: &'h History,
    known: Known<'h>,
}

impl<'h> Knowledge<'h> {
    pub(super) fn of(history: &'h History, told: &'h sessile_history::History) -> Self {
        Self { history, known: Known::of(told) }
    }

    pub(super) fn ops_of(&self, session: SessionId) -> impl Iterator<Item = (OpId, &'h Op)> {
        self.known.operations_of(session).map(|(id, _)| (id, &self.history.ops[id]))
    }

    /// Whether a process lived and was not stopped in that time.
    pub(super) fn was_up(&self, incarnation: Incarnation, from: Instant, to: Instant) -> bool {
        self.known.was_up(incarnation.0.into(), from.as_micros(), to.as_micros())
    }

    /// Whether any cut may have divided the cluster in that time.
    pub(super) fn was_divided(&self, from: Instant, to: Instant) -> bool {
        self.known.was_divided(from.as_micros(), to.as_micros())
    }

    /// Whether the session was created, and whether anybody asked for its end until `at`.
    pub(super) fn is_alive(&self, session: SessionId, at: Instant) -> bool {
        self.known.is_alive(session, at.as_micros())
    }

    /// Whether some node said until `at` that the session ended.
    pub(super) fn has_ended(&self, session: SessionId, at: Instant) -> bool {
        self.known.has_ended(session, at.as_micros())
    }
}
