//! C3: the writes of one request are seen completely, with the written bytes.

use crate::{Attribute, BrokenPromise, BrokenPromiseKind, Knowledge, Seen};

pub(super) fn find(knowledge: &Knowledge<'_>) -> Vec<BrokenPromise> {
    let mut broken_promises = Vec::new();
    for (id, operation) in knowledge.history.operations.iter().enumerate() {
        let half = operation.seen.as_ref().and_then(half);
        let damaged = operation.damaged.first().map(|name| format!("the bytes of {name} are not its own"));
        broken_promises.extend(half.or(damaged).map(|why| BrokenPromise {
            kind: BrokenPromiseKind::Torn,
            session: operation.session,
            operations: vec![id],
            at: operation.ended.unwrap_or(operation.began),
            why,
        }));
    }
    for holding in &knowledge.history.holdings {
        let halves =
            holding.sessions.iter().filter_map(|(session, copy)| half(copy).map(|why| (*session, why)));
        broken_promises.extend(halves.map(|(session, why)| BrokenPromise {
            kind: BrokenPromiseKind::Torn,
            session,
            operations: Vec::new(),
            at: holding.at,
            why: format!("at {}: {why}", knowledge.history.node_of(Some(holding.process))),
        }));
    }
    broken_promises
}

fn half(seen: &Seen) -> Option<String> {
    let (one, other) = (seen.get(&Attribute::Pair(0)), seen.get(&Attribute::Pair(1)));
    (one != other).then(|| format!("half a write is seen: p0 is {one:?} and p1 is {other:?}"))
}
