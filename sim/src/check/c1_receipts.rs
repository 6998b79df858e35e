//! C1: a receipt counts existing copies only.

use crate::check::Violation;
use crate::check::knowledge::Knowledge;
use crate::history::{Action, Op, OpId, Outcome};

const CHECKER: &str = "C1 receipts";

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    let ops = knowledge.history.ops.iter().enumerate();
    ops.filter_map(|(id, op)| dishonest(knowledge, id, op)).collect()
}

/// Checks that a receipt did not count more copies than existed.
fn dishonest(knowledge: &Knowledge<'_>, id: OpId, op: &Op) -> Option<Violation> {
    let (settled, receipt) = op.receipt?;
    let is_write = matches!(op.action, Action::Create | Action::Write(_));
    // A receipt without a response promises nothing: the node may have been removed meanwhile.
    let told = op.outcome == Outcome::Done;
    if !is_write || !told || receipt.ended || !might_live(knowledge, op, settled) {
        return None;
    }
    let died = |life: &&crate::history::SimLife| life.to.is_some_and(|to| to >= op.began && to <= settled);
    let dead = knowledge.history.lives.iter().filter(died).count();
    (op.holders.len() + dead < receipt.copies as usize).then(|| Violation {
        checker: CHECKER,
        words: format!("the receipt says {receipt}, and {} processes hold the change", op.holders.len()),
        session: Some(op.session),
        ops: vec![id],
    })
}

/// Whether no client requested the session's end until then and no node reported it.
fn might_live(knowledge: &Knowledge<'_>, op: &Op, at: sessile_core::Instant) -> bool {
    let ends = |other: &Op| matches!(other.action, Action::Logout) && other.began <= at;
    !knowledge.ops_of(op.session).any(|(_, other)| ends(other)) && !knowledge.has_ended(op.session, at)
}
