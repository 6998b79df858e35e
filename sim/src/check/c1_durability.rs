//! C1: what was acknowledged is held as the receipt says, and not lost while one of its copies lives.

use sessile_core::Absent;

use crate::check::Violation;
use crate::check::knowledge::Knowledge;
use crate::check::registers::{refutation, written};
use crate::history::{Action, Attribute, Holding, Op, OpId, Outcome, SessionId};

const CHECKER: &str = "C1 durability";

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    let ops = knowledge.history.ops.iter().enumerate();
    let mut violations: Vec<_> = ops
        .filter_map(|(id, op)| vanished(knowledge, id, op).or_else(|| dishonest(knowledge, id, op)))
        .collect();
    for holding in &knowledge.history.healed {
        for session in 0..knowledge.history.sessions.len() {
            if knowledge.is_alive(session, holding.at) {
                violations.extend(lost(knowledge, holding, session));
            }
        }
    }
    violations
}

/// A request was told that its session does not exist, has ended, or that its secret is wrong, against what it must
/// know.
fn vanished(knowledge: &Knowledge<'_>, id: OpId, op: &Op) -> Option<Violation> {
    let (Outcome::Absent(_) | Outcome::Ended) = op.outcome else { return None };
    let (boot, ended) = (op.boot?, op.ended?);
    let replaced = |(_, login): (OpId, &Op)| {
        matches!(login.action, Action::Login(old, _) if old == op.secret)
            && login.began <= ended
            && login.counts()
    };
    if !knowledge.is_alive(op.session, ended)
        || op.outcome == Outcome::Absent(Absent::WrongSecret) && knowledge.ops_of(op.session).any(replaced)
    {
        return None;
    }
    let (source, made) = source_of_secret(knowledge, op)?;
    knowledge.must_show(made, boot, op.began, op.began).then(|| Violation {
        checker: CHECKER,
        words: format!("a session that lives was answered with {:?}", op.outcome),
        session: Some(op.session),
        ops: vec![source, id],
    })
}

/// The operation that made the secret which `op` showed.
fn source_of_secret<'h>(knowledge: &Knowledge<'h>, op: &Op) -> Option<(OpId, &'h Op)> {
    let makes = |made: &Op| match made.action {
        Action::Create => op.secret == 0,
        Action::Login(_, new) => op.secret == new,
        _ => false,
    };
    knowledge.ops_of(op.session).find(|(_, made)| makes(made))
}

/// A receipt counted more copies than there were.
fn dishonest(knowledge: &Knowledge<'_>, id: OpId, op: &Op) -> Option<Violation> {
    let (settled, receipt) = op.receipt?;
    let is_write = matches!(op.action, Action::Create | Action::Write(_));
    // A receipt that no response told promised nobody anything: the node may have been out meanwhile.
    let told = op.outcome == Outcome::Done;
    if !is_write || !told || receipt.ended || !might_live(knowledge, op, settled) {
        return None;
    }
    let died = |life: &&crate::history::Life| life.to.is_some_and(|to| to >= op.began && to <= settled);
    let dead = knowledge.history.lives.iter().filter(died).count();
    (op.holders.len() + dead < receipt.copies as usize).then(|| Violation {
        checker: CHECKER,
        words: format!("the receipt says {receipt}, and {} processes hold the change", op.holders.len()),
        session: Some(op.session),
        ops: vec![id],
    })
}

/// Nobody asked for the session's end until then and no node said that it ended.
fn might_live(knowledge: &Knowledge<'_>, op: &Op, at: sessile_core::Instant) -> bool {
    let ends = |other: &Op| matches!(other.action, Action::Logout) && other.began <= at;
    !knowledge.ops_of(op.session).any(|(_, other)| ends(other)) && !knowledge.has_expired(op.session, at)
}

/// After the healing, a copy lacks what it must have.
fn lost(knowledge: &Knowledge<'_>, holding: &Holding, session: SessionId) -> Option<Violation> {
    let created_by = knowledge.history.sessions[session].created_by;
    let create = &knowledge.history.ops[created_by];
    let Some(copy) = holding.sessions.get(&session) else {
        return knowledge.survives(create, holding.at).then(|| Violation {
            checker: CHECKER,
            words: format!("{} does not hold a session that lives", holding.boot),
            session: Some(session),
            ops: vec![created_by],
        });
    };
    written(knowledge, session).into_iter().find_map(|attribute| {
        if !matches!(attribute, Attribute::Register(_)) {
            return None;
        }
        let found = copy.get(&attribute).copied();
        let demanded = |op: &Op| knowledge.survives(op, holding.at);
        let (write, _) = refutation(knowledge, session, attribute, found, demanded)?;
        Some(Violation {
            checker: CHECKER,
            words: format!(
                "{} holds {attribute}={found:?} where a later write was acknowledged",
                holding.boot
            ),
            session: Some(session),
            ops: vec![write],
        })
    })
}
