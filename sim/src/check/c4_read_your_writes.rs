//! C4: the next request, on whatever node, reads what the last one wrote.

use crate::check::Violation;
use crate::check::knowledge::Knowledge;
use crate::check::registers::{refutation, written};
use crate::history::{Op, OpId};

const CHECKER: &str = "C4 read your writes";

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for session in 0..knowledge.history.sessions.len() {
        let names = written(knowledge, session);
        for (id, op) in knowledge.ops_of(session) {
            violations.extend(names.iter().find_map(|name| stale(knowledge, id, op, *name)));
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
