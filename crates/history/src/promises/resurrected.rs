//! C2: an end is final, and so is the end of a secret at login.

use crate::{Action, BrokenPromise, BrokenPromiseKind, Knowledge, Operation, OperationId, OperationOutcome};

pub(super) fn find(knowledge: &Knowledge<'_>) -> Vec<BrokenPromise> {
    let operations = knowledge.history.operations.iter().enumerate();
    let ends = operations.filter(|(_, operation)| operation.outcome == OperationOutcome::Ok);
    ends.flat_map(|(id, operation)| match operation.action {
        Action::Logout => {
            let mut broken_promises = opened_after(knowledge, id, operation, None);
            broken_promises.extend(held_after(knowledge, id, operation));
            broken_promises
        }
        Action::Login(old, _) => opened_after(knowledge, id, operation, Some(old)),
        _ => Vec::new(),
    })
    .collect()
}

/// Later requests that opened the session, or with `secret` only those that used this secret.
fn opened_after(
    knowledge: &Knowledge<'_>,
    id: OperationId,
    end: &Operation,
    secret: Option<usize>,
) -> Vec<BrokenPromise> {
    let opened = |operation: &Operation| {
        let (Some(opened), Some(process)) = (operation.latest_opening(), operation.process) else {
            return false;
        };
        secret.is_none_or(|secret| operation.secret == secret)
            && end.over().is_some_and(|over| over <= operation.began)
            && knowledge.must_show(end, process, operation.began, opened)
    };
    let why = match secret {
        Some(_) => "a request opened the session with a secret that a login had ended",
        None => "a request opened a session that had ended",
    };
    (knowledge.operations_of(end.session))
        .filter(|(_, operation)| opened(operation))
        .map(|(other, operation)| BrokenPromise {
            kind: BrokenPromiseKind::Resurrected,
            session: end.session,
            operations: vec![id, other],
            at: operation.ended.unwrap_or(operation.began),
            why: why.to_owned(),
        })
        .collect()
}

/// Copies of an ended session after the healing.
fn held_after(knowledge: &Knowledge<'_>, id: OperationId, logout: &Operation) -> Vec<BrokenPromise> {
    (knowledge.history.holdings.iter())
        .filter(|holding| {
            holding.sessions.contains_key(&logout.session) && knowledge.survives(logout, holding.at)
        })
        .map(|holding| BrokenPromise {
            kind: BrokenPromiseKind::Resurrected,
            session: logout.session,
            operations: vec![id],
            at: holding.at,
            why: format!(
                "{} holds a session that ended, after everything healed",
                knowledge.history.node_of(Some(holding.process))
            ),
        })
        .collect()
}
