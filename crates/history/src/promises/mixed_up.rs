//! C7: no request sees another session's data, and a shown copy is complete.

use std::collections::BTreeSet;

use crate::{Attribute, BrokenPromise, BrokenPromiseKind, Knowledge, Seen, SessionId};

pub(super) fn find(knowledge: &Knowledge<'_>) -> Vec<BrokenPromise> {
    let written: Vec<_> =
        (0..knowledge.history.sessions.len()).map(|session| values(knowledge, session)).collect();
    let broken_promise = |session, operations, at, why| BrokenPromise {
        kind: BrokenPromiseKind::MixedUp,
        session,
        operations,
        at,
        why,
    };
    let mut broken_promises = Vec::new();
    for (id, operation) in knowledge.history.operations.iter().enumerate() {
        let session = operation.session;
        let why = operation.seen.as_ref().and_then(|seen| foreign(seen, &written[session]));
        let at = operation.ended.unwrap_or(operation.began);
        broken_promises.extend(why.map(|why| broken_promise(session, vec![id], at, why)));
    }
    for holding in &knowledge.history.holdings {
        let node = knowledge.history.node_of(Some(holding.process));
        for (session, copy) in &holding.sessions {
            let why = foreign(copy, &written[*session]);
            broken_promises.extend(
                why.map(|why| broken_promise(*session, Vec::new(), holding.at, format!("at {node}: {why}"))),
            );
        }
    }
    broken_promises
}

/// All values that may ever be read from the session.
fn values(knowledge: &Knowledge<'_>, session: SessionId) -> BTreeSet<(Attribute, u64)> {
    let writes = knowledge.operations_of(session).flat_map(|(_, operation)| operation.written());
    let values = writes.filter_map(|(name, value)| Some((*name, (*value)?)));
    values.chain([(Attribute::Canary, knowledge.history.sessions[session].canary)]).collect()
}

fn foreign(seen: &Seen, written: &BTreeSet<(Attribute, u64)>) -> Option<String> {
    if !seen.contains_key(&Attribute::Canary) {
        return Some("the session is shown without its canary".to_owned());
    }
    let (name, value) = seen.iter().find(|(name, value)| !written.contains(&(**name, **value)))?;
    Some(format!("{name}={value} was never written to this session"))
}
