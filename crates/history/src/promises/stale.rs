//! C4: the next request reads the last write, on every node.

use crate::promises::registers::{refutation, written};
use crate::{Attribute, BrokenPromise, BrokenPromiseKind, Knowledge, Operation, OperationId};

pub(super) fn find(knowledge: &Knowledge<'_>) -> Vec<BrokenPromise> {
    let mut broken_promises = Vec::new();
    for session in 0..knowledge.history.sessions.len() {
        let names = written(knowledge, session);
        for (id, operation) in knowledge.operations_of(session) {
            broken_promises.extend(names.iter().find_map(|name| stale(knowledge, id, operation, *name)));
        }
    }
    broken_promises
}

fn stale(
    knowledge: &Knowledge<'_>,
    id: OperationId,
    operation: &Operation,
    name: Attribute,
) -> Option<BrokenPromise> {
    let (seen, process) = (operation.seen.as_ref()?, operation.process?);
    let opened = operation.latest_opening()?;
    // Idle on one side of a split and used on the other: the idle side's writes are gone with its copy.
    if knowledge.has_ended(operation.session, opened) {
        return None;
    }
    let found = seen.get(&name).copied();
    let demanded = |write: &Operation| knowledge.must_show(write, process, operation.began, opened);
    let (write, _) = refutation(knowledge, operation.session, name, found, demanded)?;
    Some(BrokenPromise {
        kind: BrokenPromiseKind::Stale,
        session: operation.session,
        operations: vec![write, id],
        at: operation.ended.unwrap_or(operation.began),
        why: format!("{name} was read as {found:?} after a later write was acknowledged"),
    })
}
