//! C7: no request sees another session's data, and a copy that is shown is complete.

use crate::check::Violation;
use crate::check::knowledge::Knowledge;
use crate::history::{Attribute, OpId, Seen, SessionId};

const CHECKER: &str = "C7 isolation";

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    let history = knowledge.history;
    let requests = history.ops.iter().enumerate();
    let seen = requests.filter_map(|(id, op)| foreign(knowledge, op.session, op.seen.as_ref()?, vec![id]));
    let held = history.healed.iter().chain(&history.last).flat_map(|holding| &holding.sessions);
    let held = held.filter_map(|(session, copy)| foreign(knowledge, *session, copy, Vec::new()));
    seen.chain(held).collect()
}

fn foreign(knowledge: &Knowledge<'_>, session: SessionId, seen: &Seen, ops: Vec<OpId>) -> Option<Violation> {
    let expected = knowledge.history.sessions[session].canary;
    let found = seen.get(&Attribute::Canary).copied();
    (found != Some(expected)).then(|| Violation {
        checker: CHECKER,
        words: format!("the canary says {found:?} instead of {expected}"),
        session: Some(session),
        ops,
    })
}
