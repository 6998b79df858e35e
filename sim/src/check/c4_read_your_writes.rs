//! C4: the next request, on whatever node, reads what the last one wrote.

use std::time::Duration;

use sessile_core::Mode;

use crate::check::Violation;
use crate::check::knowledge::Knowledge;
use crate::check::registers::{refutation, written};
use crate::history::{Action, Attribute, Op, OpId};

const CHECKER: &str = "C4 read your writes";

/// The simulator notes that a commit is settled when its request wakes up: up to so long after the fact.
const WAKING: Duration = Duration::from_micros(300);

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for session in 0..knowledge.history.sessions.len() {
        let names = written(knowledge, session);
        for (id, op) in knowledge.ops_of(session) {
            violations.extend(names.iter().find_map(|name| stale(knowledge, id, op, *name)));
            violations.extend(hasty(knowledge, id, op));
        }
    }
    violations
}

fn stale(knowledge: &Knowledge<'_>, id: OpId, op: &Op, name: crate::history::Attribute) -> Option<Violation> {
    let (seen, opened, boot) = (op.seen.as_ref()?, op.opened?, op.boot?);
    // Idle on one side of a split and used on the other: what the idle side had is gone with its copy.
    if knowledge.has_expired(op.session, opened) {
        return None;
    }
    let found = seen.get(&name).copied();
    let demanded = |write: &Op| knowledge.must_show(write, boot, op.began, opened);
    let (write, _) = refutation(knowledge, op.session, name, found, demanded)?;
    Some(Violation {
        checker: CHECKER,
        words: format!("{name} was read as {found:?} after a later write was acknowledged"),
        session: Some(op.session),
        ops: vec![write, id],
    })
}

/// A response told of a write that was not settled: who reads next elsewhere may not find it.
fn hasty(knowledge: &Knowledge<'_>, id: OpId, op: &Op) -> Option<Violation> {
    let (seen, ended) = (op.seen.as_ref()?, op.over()?);
    if !matches!(op.action, Action::Read) || knowledge.history.mode == Mode::Asynchronous {
        return None;
    }
    let is_early = |(name, value): (&Attribute, &u64)| {
        let write = usize::try_from(*value).ok().filter(|_| *name != Attribute::Canary)?;
        let record = knowledge.history.ops.get(write).filter(|record| record.boot == op.boot)?;
        let settled = record.receipt.is_some_and(|(at, _)| at <= ended.plus(WAKING));
        (record.session == op.session && !settled).then_some(write)
    };
    let write = seen.iter().find_map(is_early)?;
    Some(Violation {
        checker: CHECKER,
        words: "a response did not wait for the write that it had read".into(),
        session: Some(op.session),
        ops: vec![write, id],
    })
}
