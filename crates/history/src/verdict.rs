//! The verdict: the broken promises of a history, countable by kind and described in words.

use std::fmt;

use serde::Serialize;

use crate::history::seconds;
use crate::promises;
use crate::{History, Knowledge, Micros, Operation, OperationId, OperationOutcome, SessionId};

/// Most operations of the session shown with a broken promise.
const SHOWN: usize = 60;

/// How a promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrokenPromiseKind {
    /// An acknowledged write or session is gone although a copy lives (C1).
    Lost,
    /// A write took effect twice: it was replaced and came back.
    Doubled,
    /// An ended session or secret was seen again (C2).
    Resurrected,
    /// The writes of one request were seen partly, or with other bytes (C3).
    Torn,
    /// Copies differ after healing (C5).
    Diverged,
    /// A session showed a value that was never written to it (C7).
    MixedUp,
    /// A request did not see a write that was acknowledged before the request began (C4).
    Stale,
}

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokenPromise {
    /// How it was broken.
    pub kind: BrokenPromiseKind,
    /// The session.
    pub session: SessionId,
    /// The operations that contradict each other; the last one saw it.
    pub operations: Vec<OperationId>,
    /// When it was seen.
    pub at: Micros,
    /// Why this breaks the promise.
    pub why: String,
}

/// All broken promises of a history, and the amount of checked data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The sessions.
    pub sessions: usize,
    /// Acknowledged operations.
    pub acknowledged: usize,
    /// Operations with an unknown outcome.
    pub unknown: usize,
    /// Operations that no node processed.
    pub failed: usize,
    /// Operations on sessions that were lost with the last process that held them: a loss that no copy could
    /// prevent.
    pub gone_with_all_copies: usize,
    /// The longest time that a client waited for a process that was not stopped meanwhile.
    pub longest_wait: Micros,
    /// The broken promises, in the order of their kinds.
    pub broken_promises: Vec<BrokenPromise>,
}

/// Judges a history.
pub fn judge(history: &History) -> Verdict {
    let knowledge = Knowledge::of(history);
    let count = |outcome: &[OperationOutcome]| {
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
        acknowledged: count(&[OperationOutcome::Ok]),
        unknown: count(&[OperationOutcome::Unknown]),
        failed: count(&[OperationOutcome::Failed]),
        gone_with_all_copies: promises::gone(&knowledge),
        longest_wait: history.operations.iter().filter_map(wait).max().unwrap_or(0),
        broken_promises: promises::broken_promises(&knowledge),
    }
}

impl BrokenPromiseKind {
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
    /// Whether no promise is broken.
    pub fn is_clean(&self) -> bool {
        self.broken_promises.is_empty()
    }

    /// Number of broken promises of that kind.
    pub fn count(&self, kind: BrokenPromiseKind) -> usize {
        self.broken_promises.iter().filter(|finding| finding.kind == kind).count()
    }
}

impl BrokenPromise {
    /// Describes the broken promise, with the earlier operations on its session.
    pub fn describe(&self, history: &History) -> String {
        let session = &history.sessions[self.session];
        let mut text =
            format!("{}: session {} at {}: {}\n", self.kind, session.key, seconds(Some(self.at)), self.why);
        for operation in &self.operations {
            text += &format!("  ! {}\n", history.describe(*operation));
        }
        let last = self.operations.iter().max().map_or(history.operations.len(), |last| last + 1);
        let related: Vec<_> = (history.operations.iter().enumerate().take(last))
            .filter(|(_, operation)| operation.session == self.session)
            .collect();
        for (id, _) in &related[related.len().saturating_sub(SHOWN)..] {
            text += &format!("    {}\n", history.describe(*id));
        }
        text
    }
}

impl fmt::Display for BrokenPromiseKind {
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
