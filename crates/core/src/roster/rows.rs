//! The members as people see them.

use std::time::Duration;

use crate::roster::Roster;
use crate::wire::Phase;
use crate::{Incarnation, Instant};

/// A member as the admin pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// The process.
    pub incarnation: Incarnation,
    /// Its node name.
    pub name: String,
    /// `starting`, `returning`, `ready`, `incomplete`, `draining`, or `suspected`.
    pub state: &'static str,
    /// Since the newest heartbeat that it echoed was sent.
    pub age: Duration,
    /// This node itself.
    pub is_self: bool,
}

impl Roster {
    /// The process that this is.
    pub(crate) fn incarnation(&self) -> Incarnation {
        self.settings.incarnation
    }

    /// Every member as this node sees it.
    pub(crate) fn rows(&self, now: Instant) -> Vec<MemberRow> {
        let me = MemberRow {
            incarnation: self.settings.incarnation,
            name: self.settings.name.clone(),
            state: state_name(self.phase(), false),
            age: Duration::ZERO,
            is_self: true,
        };
        let others = self.members().map(|(incarnation, peer, member)| MemberRow {
            incarnation,
            name: peer.name.clone(),
            state: state_name(peer.phase, member.suspected),
            age: now.since(member.alive_at),
            is_self: false,
        });
        std::iter::once(me).chain(others).collect()
    }
}

fn state_name(phase: Phase, suspected: bool) -> &'static str {
    match phase {
        _ if suspected => "suspected",
        Phase::Starting => "starting",
        Phase::Returning => "returning",
        Phase::Ready => "ready",
        Phase::Incomplete => "incomplete",
        Phase::Draining => "draining",
    }
}
