//! C1: a receipt counts the copies that exist, and wants as many as the cluster was large.

use std::time::Duration;

use sessile_core::Ack;

use crate::check::Violation;
use crate::check::knowledge::Knowledge;
use crate::history::{Action, Op, OpId, Outcome, SimAgreement};

const CHECKER: &str = "C1 receipts";

/// All agree, and none is about to be removed.
const AGREED_FOR: Duration = Duration::from_secs(3);

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    let ops = knowledge.history.ops.iter().enumerate();
    ops.flat_map(|(id, op)| {
        let found = [dishonest(knowledge, id, op), modest(knowledge, id, op), unwanted(knowledge, id, op)];
        found.into_iter().flatten()
    })
    .collect()
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

/// Checks that a receipt counted every member, where all agreed all the time.
fn modest(knowledge: &Knowledge<'_>, id: OpId, op: &Op) -> Option<Violation> {
    let history = knowledge.history;
    let ((settled, receipt), committed) = (op.receipt?, op.committed?);
    let judged = history.mode == Ack::Synchronous && history.has_room && !receipt.ended;
    let agreed =
        |agreement: &&SimAgreement| agreement.from.plus(AGREED_FOR) <= committed && settled <= agreement.to;
    let agreement = history.agreements.iter().find(agreed).filter(|_| judged)?;
    let members = agreement.incarnations.len();
    ((receipt.copies as usize) < members && might_live(knowledge, op, settled)).then(|| Violation {
        checker: CHECKER,
        words: format!("the receipt says {receipt}, and all {members} members agreed meanwhile"),
        session: Some(op.session),
        ops: vec![id],
    })
}

/// Checks that a receipt wants a copy on every member that is there or lost: else it would not say that it is
/// degraded.
fn unwanted(knowledge: &Knowledge<'_>, id: OpId, op: &Op) -> Option<Violation> {
    let ((_, receipt), wanted) = (op.receipt?, op.wanted.as_ref()?);
    (knowledge.history.waits_for_all && !wanted.contains(&receipt.wanted)).then(|| Violation {
        checker: CHECKER,
        words: format!("the receipt says {receipt}, and should want {wanted:?} copies"),
        session: Some(op.session),
        ops: vec![id],
    })
}

/// Whether no client requested the session's end until then and no node reported it.
fn might_live(knowledge: &Knowledge<'_>, op: &Op, at: sessile_core::Instant) -> bool {
    let ends = |other: &Op| matches!(other.action, Action::Logout) && other.began <= at;
    !knowledge.ops_of(op.session).any(|(_, other)| ends(other)) && !knowledge.has_ended(op.session, at)
}
