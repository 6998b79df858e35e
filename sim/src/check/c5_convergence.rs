//! C5: after the last fault heals all copies become equal, and every commit is whole again.

use sessile_history::ENDING;

use crate::check::Violation;
use crate::check::knowledge::Knowledge;
use crate::history::{Op, OpId, Outcome, SessionId, SimHistory, SimHolding};

const CHECKER: &str = "C5 convergence";

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    let history = knowledge.history;
    let mut violations = unequal(history, &history.healed);
    violations.extend(history.disagreements.iter().flat_map(|pair| unequal(history, pair)));
    violations.extend(unequal(history, &history.last));
    let last_writes = history.ops.iter().enumerate().skip(history.final_writes_from.max(1));
    if history.final_writes_from > 0 {
        violations.extend(last_writes.filter_map(|(id, op)| degraded(knowledge, id, op)));
    }
    violations
}

fn unequal(history: &SimHistory, holdings: &[SimHolding]) -> Vec<Violation> {
    let violation = |words, session| Violation { checker: CHECKER, words, session, ops: Vec::new() };
    let mut violations = Vec::new();
    for holding in holdings.iter().filter(|holding| holding.strangers > 0) {
        let words = format!(
            "{} lists {} sessions without a copy or a client",
            holding.incarnation, holding.strangers
        );
        violations.push(violation(words, None));
    }
    for pair in holdings.windows(2) {
        let (one, other) = (&pair[0], &pair[1]);
        let ids = one.sessions.keys().chain(other.sessions.keys());
        let lacks = |id: &SessionId| {
            !history.has_room && one.sessions.contains_key(id) != other.sessions.contains_key(id)
        };
        let differs = |id: &SessionId| one.sessions.get(id) != other.sessions.get(id) && !lacks(id);
        let unequal = ids.copied().find(|id| differs(id) && !is_ending(history, *id, one));
        if let Some(id) = unequal {
            let (mine, theirs) = (one.sessions.get(&id), other.sessions.get(&id));
            let words = format!(
                "copies differ at {:.3}: {} has {mine:?}, {} has {theirs:?}",
                one.at.as_micros() as f64 / 1e6,
                one.incarnation,
                other.incarnation
            );
            violations.push(violation(words, Some(id)));
        }
    }
    violations
}

fn is_ending(history: &SimHistory, id: SessionId, holding: &SimHolding) -> bool {
    let key = history.sessions[id].key;
    let mut endings = history.endings.iter().filter(|ending| ending.key == key && ending.at <= holding.at);
    endings.any(|ending| holding.at.since(ending.at) < ENDING)
}

/// A commit after the healing that was not acknowledged by all members.
fn degraded(knowledge: &Knowledge<'_>, id: OpId, op: &Op) -> Option<Violation> {
    let everybody = knowledge.history.healed.len();
    let whole = match (op.outcome, op.receipt) {
        (Outcome::Done, Some((_, receipt))) => {
            knowledge.history.mode == sessile_core::Ack::Asynchronous
                || !knowledge.history.has_room
                || receipt.copies as usize == everybody
        }
        (Outcome::Unknown | Outcome::Failed | Outcome::Done, _) => !knowledge.is_alive(op.session, op.ended?),
        // A missing session is checked by C1.
        (Outcome::Pending | Outcome::Absent(_) | Outcome::Ended, _) => true,
    };
    (!whole).then(|| Violation {
        checker: CHECKER,
        words: format!("a commit after the healing was not made whole by all {everybody} nodes"),
        session: Some(op.session),
        ops: vec![id],
    })
}
