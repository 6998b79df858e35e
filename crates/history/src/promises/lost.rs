//! C1: an acknowledged write is not lost while one of its copies lives.

use crate::promises::registers::{refutation, written};
use crate::{
    Action, BrokenPromise, BrokenPromiseKind, Holding, Knowledge, Operation, OperationId, OperationOutcome,
    SessionId,
};

pub(super) fn find(knowledge: &Knowledge<'_>) -> Vec<BrokenPromise> {
    let operations = knowledge.history.operations.iter().enumerate();
    let mut broken_promises: Vec<_> =
        operations.filter_map(|(id, operation)| vanished(knowledge, id, operation)).collect();
    for holding in &knowledge.history.holdings {
        for session in 0..knowledge.history.sessions.len() {
            if knowledge.is_alive(session, holding.at) {
                broken_promises.extend(lacking(knowledge, holding, session));
            }
        }
    }
    broken_promises
}

/// Number of `absent` responses that are allowed because no live process held the session.
pub(crate) fn gone(knowledge: &Knowledge<'_>) -> usize {
    let is_gone = |operation: &&Operation| {
        let created_by = knowledge.history.sessions[operation.session].created_by;
        let at = operation.ended.unwrap_or(operation.began);
        operation.outcome == OperationOutcome::Absent
            && knowledge.is_alive(operation.session, at)
            && !knowledge.survives(&knowledge.history.operations[created_by], at)
    };
    knowledge.history.operations.iter().filter(is_gone).count()
}

/// A response wrongly said that the session does not exist or has ended, or that its secret is wrong.
fn vanished(knowledge: &Knowledge<'_>, id: OperationId, operation: &Operation) -> Option<BrokenPromise> {
    if !matches!(
        operation.outcome,
        OperationOutcome::Absent | OperationOutcome::Ended | OperationOutcome::WrongSecret
    ) {
        return None;
    }
    let (process, ended) = (operation.process?, operation.ended?);
    let replaced = |(_, login): (OperationId, &Operation)| {
        matches!(login.action, Action::Login(old, _) if old == operation.secret)
            && login.began <= ended
            && login.counts()
    };
    if !knowledge.is_alive(operation.session, ended)
        || operation.outcome == OperationOutcome::WrongSecret
            && knowledge.operations_of(operation.session).any(replaced)
    {
        return None;
    }
    let (source, made) = source_of_secret(knowledge, operation)?;
    // An observer knows that the session was absent at once; otherwise it may have been absent at any time of
    // the request.
    let to = if operation.holders.is_some() { operation.began } else { ended };
    knowledge.must_show(made, process, operation.began, to).then(|| BrokenPromise {
        kind: BrokenPromiseKind::Lost,
        session: operation.session,
        operations: vec![source, id],
        at: ended,
        why: format!("a session that lives was answered with {:?}", operation.outcome),
    })
}

/// The operation that created the secret used by `operation`.
fn source_of_secret<'h>(
    knowledge: &Knowledge<'h>,
    operation: &Operation,
) -> Option<(OperationId, &'h Operation)> {
    let makes = |made: &Operation| match made.action {
        Action::Create => operation.secret == 0,
        Action::Login(_, new) => operation.secret == new,
        _ => false,
    };
    knowledge.operations_of(operation.session).find(|(_, made)| makes(made))
}

/// After the healing, a copy lacks a required write.
fn lacking(knowledge: &Knowledge<'_>, holding: &Holding, session: SessionId) -> Option<BrokenPromise> {
    let created_by = knowledge.history.sessions[session].created_by;
    let create = &knowledge.history.operations[created_by];
    let node = knowledge.history.node_of(Some(holding.process));
    let lost = |operation, why| {
        Some(BrokenPromise {
            kind: BrokenPromiseKind::Lost,
            session,
            operations: vec![operation],
            at: holding.at,
            why,
        })
    };
    let Some(copy) = holding.sessions.get(&session) else {
        let survives = knowledge.survives(create, holding.at);
        return survives.then(|| lost(created_by, format!("{node} does not hold a session that lives")))?;
    };
    written(knowledge, session).into_iter().find_map(|name| {
        let found = copy.get(&name).copied();
        let demanded = |write: &Operation| knowledge.survives(write, holding.at);
        let (write, _) = refutation(knowledge, session, name, found, demanded)?;
        lost(write, format!("{node} holds {name}={found:?} where a later write was acknowledged"))
    })
}
