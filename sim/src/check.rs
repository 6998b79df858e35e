//! The checkers. What clients can see is judged by `sessile_history`, as it is in the drill and on real hosts; here
//! is what only the simulator knows: receipts and who really held the change, ends and their events, quiet.

mod c1_receipts;
mod c4_haste;
mod c5_convergence;
mod c6_expiry;
mod clients;
mod knowledge;
mod progress;

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
    let told = clients::told(history);
    let knowledge = Knowledge::of(history, &told);
    [
        progress::check(&knowledge),
        clients::check(&told),
        c1_receipts::check(&knowledge),
        c4_haste::check(&knowledge),
        c5_convergence::check(&knowledge),
        c6_expiry::check(&knowledge),
    ]
    .concat()
}
