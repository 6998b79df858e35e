//! C2: an end is final, and so is the end of a secret at login.

use crate::check::Violation;
use crate::check::knowledge::Knowledge;
use crate::history::{Action, Op, OpId, Outcome};

const CHECKER: &str = "C2 logout";

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    let done = |op: &Op| op.outcome == Outcome::Done;
    let ops = knowledge.history.ops.iter().enumerate().filter(|(_, op)| done(op));
    ops.flat_map(|(id, op)| match op.action {
        Action::Logout => after_logout(knowledge, id, op),
        Action::Login(old, _) => after_login(knowledge, id, op, old),
        _ => Vec::new(),
    })
    .collect()
}

/// Later requests that opened the ended session, and copies of it after the healing.
fn after_logout(knowledge: &Knowledge<'_>, id: OpId, logout: &Op) -> Vec<Violation> {
    let violation =
        |words: String, ops| Violation { checker: CHECKER, words, session: Some(logout.session), ops };
    let mut violations: Vec<_> = knowledge
        .ops_of(logout.session)
        .filter(|(_, op)| opened_in_spite_of(knowledge, logout, op))
        .map(|(other, _)| violation("a request opened a session that had ended".into(), vec![id, other]))
        .collect();
    let history = knowledge.history;
    for holding in history.healed.iter().chain(&history.last) {
        if holding.sessions.contains_key(&logout.session) && knowledge.survives(logout, holding.at) {
            let words = format!("{} holds a session that ended, after everything healed", holding.boot);
            violations.push(violation(words, vec![id]));
        }
    }
    violations
}

/// Later requests that opened the session with the secret that the login ended.
fn after_login(knowledge: &Knowledge<'_>, id: OpId, login: &Op, old: usize) -> Vec<Violation> {
    knowledge
        .ops_of(login.session)
        .filter(|(_, op)| op.secret == old && opened_in_spite_of(knowledge, login, op))
        .map(|(other, _)| Violation {
            checker: CHECKER,
            words: "a request opened the session with a secret that a login had ended".into(),
            session: Some(login.session),
            ops: vec![id, other],
        })
        .collect()
}

fn opened_in_spite_of(knowledge: &Knowledge<'_>, end: &Op, op: &Op) -> bool {
    let (Some(opened), Some(boot)) = (op.opened, op.boot) else { return false };
    end.over().is_some_and(|over| over <= op.began) && knowledge.must_show(end, boot, op.began, opened)
}
