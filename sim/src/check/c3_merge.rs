//! C3: writes of different attributes both survive, and what one request wrote is never seen half.

use crate::check::Violation;
use crate::check::knowledge::Knowledge;
use crate::check::registers::{refutation, written};
use crate::history::{Attribute, Op, OpId, Seen, SessionId};

const CHECKER: &str = "C3 merge";

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    let history = knowledge.history;
    let mut violations = Vec::new();
    for (id, op) in history.ops.iter().enumerate() {
        if let Some(seen) = &op.seen {
            violations.extend(mixed(knowledge, op.session, seen, vec![id]));
        }
    }
    for holding in history.healed.iter().chain(&history.last) {
        for (session, copy) in &holding.sessions {
            violations.extend(mixed(knowledge, *session, copy, Vec::new()));
            violations.extend(lost_member(knowledge, holding.at, *session, copy));
        }
    }
    violations
}

/// Half a pair, or a value that nobody wrote there.
fn mixed(knowledge: &Knowledge<'_>, session: SessionId, seen: &Seen, ops: Vec<OpId>) -> Option<Violation> {
    let (one, other) = (seen.get(&Attribute::Pair(0)), seen.get(&Attribute::Pair(1)));
    let violation =
        |words: String| Some(Violation { checker: CHECKER, words, session: Some(session), ops: ops.clone() });
    if one != other {
        return violation(format!("half a write is seen: {one:?} and {other:?}"));
    }
    let invented = seen.iter().find(|(name, value)| {
        let writer = usize::try_from(**value).ok().and_then(|id| knowledge.history.ops.get(id));
        let wrote = |op: &Op| op.session == session && op.writes(**name) == Some(Some(**value));
        !matches!(name, Attribute::Canary) && !writer.is_some_and(wrote)
    });
    let (name, value) = invented?;
    violation(format!("{name}={value} was never written to this session"))
}

/// A member of the set that was acknowledged and is gone after the healing.
fn lost_member(
    knowledge: &Knowledge<'_>,
    at: sessile_core::Instant,
    session: SessionId,
    copy: &Seen,
) -> Option<Violation> {
    if !knowledge.is_alive(session, at) {
        return None;
    }
    written(knowledge, session).into_iter().find_map(|name| {
        if matches!(name, Attribute::Register(_)) {
            return None;
        }
        let found = copy.get(&name).copied();
        let (write, _) = refutation(knowledge, session, name, found, |op| knowledge.survives(op, at))?;
        Some(Violation {
            checker: CHECKER,
            words: format!("{name} is {found:?} after the healing"),
            session: Some(session),
            ops: vec![write],
        })
    })
}
