//! The checkers: one promise of the contract a file, judged by the history alone.

mod c1_durability;
mod c2_logout;
mod c3_merge;
mod c4_read_your_writes;
mod c5_convergence;
mod c6_expiry;
mod c7_isolation;
mod knowledge;
mod progress;
mod registers;

use crate::history::{History, OpId, SessionId};

use knowledge::Knowledge;

/// Operations on the session that are printed with a violation, at the most.
const TOLD: usize = 60;

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which checker saw it.
    pub checker: &'static str,
    /// What it saw.
    pub words: String,
    /// The session it is about.
    pub session: Option<SessionId>,
    /// The operations that contradict each other.
    pub ops: Vec<OpId>,
}

impl Violation {
    /// The violation in words, with what was done to its session before.
    pub fn tell(&self, history: &History) -> String {
        let mut text = format!("{}: {}\n", self.checker, self.words);
        for op in &self.ops {
            text += &format!("  ! {}\n", history.tell(*op));
        }
        let Some(session) = self.session else { return text };
        text += &format!("  s{session} is {}\n", history.sessions[session].key);
        let last = self.ops.iter().max().map_or(history.ops.len(), |last| last + 1);
        let related: Vec<_> =
            history.ops_of(session).filter(|(op, _)| *op < last).map(|(op, _)| op).collect();
        for op in &related[related.len().saturating_sub(TOLD)..] {
            text += &format!("    {}\n", history.tell(*op));
        }
        text
    }
}

/// Everything that is wrong with a history.
pub fn judge(history: &History) -> Vec<Violation> {
    let knowledge = Knowledge::of(history);
    [
        progress::check(&knowledge),
        c7_isolation::check(&knowledge),
        c2_logout::check(&knowledge),
        c1_durability::check(&knowledge),
        c3_merge::check(&knowledge),
        c4_read_your_writes::check(&knowledge),
        c5_convergence::check(&knowledge),
        c6_expiry::check(&knowledge),
    ]
    .concat()
}
