//! C3: what one request wrote is seen whole, with the bytes that were written.

use crate::{Attribute, Finding, Kind, Knowledge, Seen};

pub(super) fn find(knowledge: &Knowledge<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, operation) in knowledge.history.operations.iter().enumerate() {
        let half = operation.seen.as_ref().and_then(half);
        let damaged = operation.damaged.first().map(|name| format!("the bytes of {name} are not its own"));
        findings.extend(half.or(damaged).map(|why| Finding {
            kind: Kind::Torn,
            session: operation.session,
            operations: vec![id],
            at: operation.ended.unwrap_or(operation.began),
            why,
        }));
    }
    for holding in &knowledge.history.holdings {
        let halves =
            holding.sessions.iter().filter_map(|(session, copy)| half(copy).map(|why| (*session, why)));
        findings.extend(halves.map(|(session, why)| Finding {
            kind: Kind::Torn,
            session,
            operations: Vec::new(),
            at: holding.at,
            why: format!("at {}: {why}", knowledge.history.node_of(Some(holding.process))),
        }));
    }
    findings
}

fn half(seen: &Seen) -> Option<String> {
    let (one, other) = (seen.get(&Attribute::Pair(0)), seen.get(&Attribute::Pair(1)));
    (one != other).then(|| format!("half a write is seen: p0 is {one:?} and p1 is {other:?}"))
}
