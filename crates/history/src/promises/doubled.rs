//! A write takes effect once: on one process, a value that was seen replaced does not come back by itself.

use std::collections::BTreeMap;

use crate::promises::registers::written;
use crate::{
    Attribute, BrokenPromise, BrokenPromiseKind, Knowledge, Micros, Operation, OperationId, ProcessId,
    SessionId,
};

/// The first sight of a value, and a later sight of another value.
#[derive(Clone, Copy)]
struct Sight {
    seen_by: OperationId,
    until: Micros,
    replaced: Option<(OperationId, Micros)>,
}

pub(super) fn find(knowledge: &Knowledge<'_>) -> Vec<BrokenPromise> {
    (0..knowledge.history.sessions.len())
        .flat_map(|session| {
            let names = written(knowledge, session).into_iter();
            names.filter_map(move |name| came_back(knowledge, session, name))
        })
        .collect()
}

fn came_back(knowledge: &Knowledge<'_>, session: SessionId, name: Attribute) -> Option<BrokenPromise> {
    let mut sights: BTreeMap<(ProcessId, u64), Sight> = BTreeMap::new();
    for (id, operation) in in_order(knowledge, session) {
        let (Some(process), Some(seen)) = (operation.process, &operation.seen) else { continue };
        let (Some(value), Some((from, to))) = (seen.get(&name), opening(operation)) else { continue };
        for ((_, other), sight) in sights.range_mut((process, 0)..=(process, u64::MAX)) {
            if other != value && sight.until < from && sight.replaced.is_none() {
                sight.replaced = Some((id, to));
            }
        }
        let first = Sight { seen_by: id, until: to, replaced: None };
        let sight = *sights.entry((process, *value)).or_insert(first);
        if let Some((between, until)) = sight.replaced
            && until < from
            && writers(knowledge, session, name, *value) == 1
            && !ended_apart(knowledge, session, until, from)
        {
            return Some(BrokenPromise {
                kind: BrokenPromiseKind::Doubled,
                session,
                operations: vec![sight.seen_by, between, id],
                at: to,
                why: format!("{name}={value} was written once, replaced, and came back"),
            });
        }
    }
    None
}

/// Whether one side of a split ended the session while another continued it: the first side's writes ended
/// there.
fn ended_apart(knowledge: &Knowledge<'_>, session: SessionId, from: Micros, to: Micros) -> bool {
    let ended_at = knowledge.history.sessions[session].ended_at;
    ended_at.is_some_and(|at| from <= at && at <= to && knowledge.was_divided(at, at))
}

/// The operations by the time at which the session was opened for them.
fn in_order<'h>(
    knowledge: &Knowledge<'h>,
    session: SessionId,
) -> impl Iterator<Item = (OperationId, &'h Operation)> {
    let mut operations: Vec<_> = knowledge.operations_of(session).collect();
    operations.sort_by_key(|(id, operation)| (opening(operation).map(|(from, _)| from), *id));
    operations.into_iter()
}

/// The interval in which the session was opened.
fn opening(operation: &Operation) -> Option<(Micros, Micros)> {
    let at = operation.opened.map(|opened| (opened, opened));
    at.or_else(|| operation.ended.map(|ended| (operation.began, ended)))
}

fn writers(knowledge: &Knowledge<'_>, session: SessionId, name: Attribute, value: u64) -> usize {
    let wrote = |operation: &Operation| operation.writes(name) == Some(Some(value));
    knowledge.operations_of(session).filter(|(_, operation)| wrote(operation)).count()
}
