//! Queries of the simulator's own checkers on a history, in the core's types.

use sessile_core::{Incarnation, Instant};
use sessile_history::Knowledge as Known;

use crate::history::{Op, OpId, SessionId, SimHistory};

/// A history, and the knowledge derived from the clients' view of it.
pub(super) struct Knowledge<'h> {
    pub(super) history: &'h SimHistory,
    known: Known<'h>,
}

impl<'h> Knowledge<'h> {
    pub(super) fn of(history: &'h SimHistory, told: &'h sessile_history::History) -> Self {
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

    /// Whether the session was created and no client requested its end until `at`.
    pub(super) fn is_alive(&self, session: SessionId, at: Instant) -> bool {
        self.known.is_alive(session, at.as_micros())
    }

    /// Whether a node reported the session's end until `at`.
    pub(super) fn has_ended(&self, session: SessionId, at: Instant) -> bool {
        self.known.has_ended(session, at.as_micros())
    }
}
