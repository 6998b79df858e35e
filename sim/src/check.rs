//! The checkers. `sessile_history` judges everything that clients can see, as in the drill and on real hosts.
//! The checkers here use facts that only the simulator knows: the real holders behind receipts, end events,
//! quiet times.

mod c1_receipts;
mod c4_haste;
mod c5_convergence;
mod c6_expiry;
mod clients;
mod knowledge;
mod progress;
mod spoken;

use crate::history::{OpId, SessionId, SimHistory};

use knowledge::Knowledge;

/// Most operations of the session printed with a violation.
const SHOWN: usize = 60;

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The checker that found it.
    pub checker: &'static str,
    /// Description.
    pub words: String,
    /// The affected session.
    pub session: Option<SessionId>,
    /// The operations that contradict each other.
    pub ops: Vec<OpId>,
}

impl Violation {
    /// Describes the violation, with the earlier operations on its session.
    pub fn describe(&self, history: &SimHistory) -> String {
        let mut text = format!("{}: {}\n", self.checker, self.words);
        for op in &self.ops {
            text += &format!("  ! {}\n", history.describe(*op));
        }
        let Some(session) = self.session else { return text };
        text += &format!("  s{session} is {}\n", history.sessions[session].key);
        let last = self.ops.iter().max().map_or(history.ops.len(), |last| last + 1);
        let related: Vec<_> =
            history.ops_of(session).filter(|(op, _)| *op < last).map(|(op, _)| op).collect();
        for op in &related[related.len().saturating_sub(SHOWN)..] {
            text += &format!("    {}\n", history.describe(*op));
        }
        text
    }
}

/// All violations of a history.
pub fn judge(history: &SimHistory) -> Vec<Violation> {
    let told = clients::client_history(history);
    let knowledge = Knowledge::of(history, &told);
    [
        progress::check(&knowledge),
        clients::check(&told),
        c1_receipts::check(&knowledge),
        c4_haste::check(&knowledge),
        c5_convergence::check(&knowledge),
        c6_expiry::check(&knowledge),
        spoken::check(&knowledge),
    ]
    .concat()
}
