//! The verdict: what is wrong with a history, in kinds that a user can count and words that he can follow.

use std::fmt;

use serde::Serialize;

use crate::history::seconds;
use crate::promises;
use crate::{History, Knowledge, Micros, Operation, OperationId, Outcome, SessionId};

/// Operations on the session that are told with a finding, at the most.
const TOLD: usize = 60;

/// How a promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A write, or a session, was acknowledged and is gone though a copy of it lives (C1).
    Lost,
    /// One write took effect twice: replaced, it came back.
    Doubled,
    /// What had ended was seen again (C2).
    Resurrected,
    /// What one request wrote was seen half, or with other bytes (C3).
    Torn,
    /// Copies differ though everything healed (C5).
    Diverged,
    /// A session showed what was never written to it (C7).
    MixedUp,
    /// A request did not see what had been acknowledged before it began (C4).
    Stale,
}

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it was broken.
    pub kind: Kind,
    /// The session.
    pub session: SessionId,
    /// The operations that contradict each other; the last one saw it.
    pub operations: Vec<OperationId>,
    /// When it was seen.
    pub at: Micros,
    /// Why that may not be.
    pub why: String,
}

/// Everything that is wrong with a history, and how much was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The sessions.
    pub sessions: usize,
    /// Operations that were done and acknowledged.
    pub acknowledged: usize,
    /// Operations without an answer that says what became of them.
    pub unknown: usize,
    /// Operations that nobody processed.
    pub failed: usize,
    /// Operations of sessions that were gone with the last process that held them: a loss that no copy could prevent.
    pub gone_with_all_copies: usize,
    /// The longest time a client waited for the acknowledgement of a process that was not stopped meanwhile.
    pub longest_wait: Micros,
    /// The broken promises, in the order of their kinds.
    pub findings: Vec<Finding>,
}

/// Judges a history.
pub fn judge(history: &History) -> Verdict {
    let knowledge = Knowledge::of(history);
    let count = |outcome: &[Outcome]| {
        history.operations.iter().filter(|operation| outcome.contains(&operation.outcome)).count()
    };
    let was_up = |operation: &Operation, over| {
        operation.process.is_none_or(|process| knowledge.was_up(process, operation.began, over))
    };
    let wait = |operation: &Operation| {
        let over = operation.over().filter(|over| was_up(operation, *over));
        over.map(|over| over.saturating_sub(operation.began))
    };
    Verdict {
        sessions: history.sessions.len(),
        acknowledged: count(&[Outcome::Ok]),
        unknown: count(&[Outcome::Unknown]),
        failed: count(&[Outcome::Failed]),
        gone_with_all_copies: promises::gone(&knowledge),
        longest_wait: history.operations.iter().filter_map(wait).max().unwrap_or(0),
        findings: promises::findings(&knowledge),
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Lost,
        Self::Doubled,
        Self::Resurrected,
        Self::Torn,
        Self::Diverged,
        Self::MixedUp,
        Self::Stale,
    ];
}

impl Verdict {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many findings are of that kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.findings.iter().filter(|finding| finding.kind == kind).count()
    }
}

impl Finding {
    /// The finding in words, with what was done to its session before.
    pub fn tell(&self, history: &History) -> String {
        let session = &history.sessions[self.session];
        let mut text =
            format!("{}: session {} at {}: {}\n", self.kind, session.key, seconds(Some(self.at)), self.why);
        for operation in &self.operations {
            text += &format!("  ! {}\n", history.tell(*operation));
        }
        let last = self.operations.iter().max().map_or(history.operations.len(), |last| last + 1);
        let related: Vec<_> = (history.operations.iter().enumerate().take(last))
            .filter(|(_, operation)| operation.session == self.session)
            .collect();
        for (id, _) in &related[related.len().saturating_sub(TOLD)..] {
            text += &format!("    {}\n", history.tell(*id));
        }
        text
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::Doubled => "doubled",
            Self::Resurrected => "resurrected",
            Self::Torn => "torn",
            Self::Diverged => "diverged",
            Self::MixedUp => "mixed up",
            Self::Stale => "stale",
        })
    }
}
