//! C6: a session expires neither before its idle time nor long after it, and its end is reported once.

use std::collections::BTreeSet;
use std::time::Duration;

use sessile_core::{EndReason, Incarnation, Instant};

use crate::check::Violation;
use crate::check::knowledge::Knowledge;
use crate::history::{Action, Ending, Op, OpId, SessionId};

const CHECKER: &str = "C6 expiry";

/// A consenting member may serve a request before the end arrives there, and then overrules the end. This is
/// the longest time for its answer and the end in flight.
const CROSSING: Duration = Duration::from_millis(50);

/// A process that started so long ago is a member.
const JOINED_AFTER: Duration = Duration::from_secs(5);

/// A use has reached all members.
const ANNOUNCED_WITHIN: Duration = Duration::from_millis(500);

/// Slack beyond a quarter of the idle time: the scan, the question to the members, and their answers.
const SLACK: Duration = Duration::from_secs(4);

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    (0..knowledge.history.sessions.len())
        .flat_map(|session| {
            let mut violations = early(knowledge, session);
            violations.extend(late(knowledge, session));
            violations.extend(told_wrongly(knowledge, session));
            violations
        })
        .collect()
}

/// Expiries of a session that was certainly used within its idle time: opened, closed, or open.
fn early(knowledge: &Knowledge<'_>, session: SessionId) -> Vec<Violation> {
    let record = &knowledge.history.sessions[session];
    let expired =
        |ending: &&Ending| ending.key == record.key && ending.reason == EndReason::Expired && !ending.remote;
    let mut violations = Vec::new();
    let endings = knowledge.history.endings.iter().filter(expired);
    for ending in endings.filter(|ending| !is_aged(knowledge, session, ending.at)) {
        // Clocks may be 500 ppm apart.
        let max_inactive = record.max_inactive - record.max_inactive / 1_000;
        let is_use = |op: &Op, used: Instant| {
            used <= ending.at
                && ending.at.since(used) < max_inactive
                && is_known(knowledge, op, used, ending)
                && !was_overruled(knowledge, op, used, ending)
        };
        let used = knowledge.ops_of(session).find(|(_, op)| {
            op.opened.is_some_and(|opened| {
                let is_open = op.closed.is_none_or(|closed| closed > ending.at);
                let open = is_open.then_some(ending.at.minus(CROSSING)).filter(|at| *at > opened);
                [Some(opened), op.closed, open].into_iter().flatten().any(|used| is_use(op, used))
            })
        });
        if let Some((id, _)) = used {
            violations.push(Violation {
                checker: CHECKER,
                words: format!("{} let it expire too early at {:.6}", ending.incarnation, seconds(ending.at)),
                session: Some(session),
                ops: vec![id],
            });
        }
    }
    violations
}

/// Whether a session had reached its greatest age, which no use prolongs.
fn is_aged(knowledge: &Knowledge<'_>, session: SessionId, at: Instant) -> bool {
    let record = &knowledge.history.sessions[session];
    let created = knowledge.history.ops[record.created_by].began;
    record.max_age.is_some_and(|max_age| at.since(created) + CROSSING >= max_age - max_age / 1_000)
}

/// Whether the expiring process knew the use of the session, or could have asked for it.
fn is_known(knowledge: &Knowledge<'_>, op: &Op, opened: Instant, ending: &Ending) -> bool {
    op.incarnation.is_some_and(|incarnation| {
        was_announced(knowledge, incarnation, opened, ending)
            || incarnation == ending.incarnation && knowledge.was_up(incarnation, opened, ending.at)
            || opened.plus(CROSSING) <= ending.at
                && knowledge.was_up(incarnation, opened, ending.at)
                && knowledge.was_up(ending.incarnation, opened, ending.at)
                && !knowledge.was_divided(opened, ending.at)
    })
}

/// Whether the process with the use died, after it had announced that use, or one that was at most the share
/// of the idle time earlier which is added after a loss (rules 7.12 and 7.19).
fn was_announced(
    knowledge: &Knowledge<'_>,
    incarnation: Incarnation,
    used: Instant,
    ending: &Ending,
) -> bool {
    let history = knowledge.history;
    let died = history.life(incarnation).and_then(|life| life.to);
    let is_removed = |at: Instant| {
        let mut removals = history.removals.iter().filter(|removal| removal.by == ending.incarnation);
        removals.any(|removal| removal.member == incarnation && removal.at <= at)
    };
    // What a joiner gets of uses that were announced before it was included is not judged.
    let was_member =
        history.life(ending.incarnation).is_some_and(|life| life.from.plus(JOINED_AFTER) <= used);
    history.is_reliable
        && was_member
        && died.is_some_and(|died| died < ending.at && died.since(used) > ANNOUNCED_WITHIN)
        && is_removed(ending.at)
        && history.lives.iter().all(|life| life.pauses.is_empty())
        && knowledge.was_up(ending.incarnation, used, ending.at)
        && !knowledge.was_divided(used, ending.at)
}

/// Whether the process with the use learned of an earlier end in between: another side of a split let the
/// session expire, and a third side's copy, with its own last use, came back later.
fn was_overruled(knowledge: &Knowledge<'_>, op: &Op, opened: Instant, ending: &Ending) -> bool {
    let mut endings = knowledge.history.endings.iter().filter(|other| other.key == ending.key);
    endings.any(|other| {
        op.incarnation == Some(other.incarnation)
            && other.remote
            && other.at >= opened
            && other.at < ending.at
    })
}

/// Copies and successful requests long after the session's last use and without a disturbance.
fn late(knowledge: &Knowledge<'_>, session: SessionId) -> Option<Violation> {
    let history = knowledge.history;
    let record = &history.sessions[session];
    let last_use = |before: OpId| {
        let uses = knowledge.ops_of(session).filter(|(id, _)| *id < before);
        uses.map(|(_, op)| op.closed.or(op.opened).or(op.ended).unwrap_or(op.began)).max()
    };
    let bound = record.max_inactive * 5 / 4 + SLACK;
    let is_late = |used: Instant, at: Instant| {
        at.since(used) > bound
            && history
                .agreements
                .iter()
                .any(|agreement| agreement.from.max(used).plus(bound) < at.min(agreement.to))
    };
    let found = knowledge.ops_of(session).find(|(id, op)| {
        op.opened.is_some_and(|opened| {
            last_use(*id).is_some_and(|used| used < op.began && is_late(used, op.began.min(opened)))
        }) && !overlapped(knowledge, session, *id, op)
    });
    let violation =
        |words: String, ops| Some(Violation { checker: CHECKER, words, session: Some(session), ops });
    if let Some((id, _)) = found {
        return violation("a request opened it long after its idle time".into(), vec![id]);
    }
    let created = history.ops[record.created_by].ended.unwrap_or_default();
    let is_old = |holding: &&crate::history::SimHolding| {
        let most = |max_age: Duration| max_age + record.max_inactive / 4 + SLACK;
        holding.sessions.contains_key(&session)
            && record.max_age.is_some_and(|max_age| holding.at.since(created) > most(max_age))
    };
    if let Some(holding) = history.last.iter().find(is_old) {
        return violation(
            format!("{} holds it long after its greatest age", holding.incarnation),
            Vec::new(),
        );
    }
    let used = last_use(OpId::MAX)?;
    let holding = (history.last.iter())
        .find(|holding| holding.sessions.contains_key(&session) && is_late(used, holding.at))?;
    violation(format!("{} still holds it long after its idle time", holding.incarnation), Vec::new())
}

/// Whether another request was still running when this one began.
fn overlapped(knowledge: &Knowledge<'_>, session: SessionId, id: OpId, op: &Op) -> bool {
    knowledge.ops_of(session).any(|(other, earlier)| {
        other < id && earlier.closed.or(earlier.ended).is_none_or(|over| over >= op.began)
    })
}

/// The end of a session is one event, reported at least once by the process that ended it.
fn told_wrongly(knowledge: &Knowledge<'_>, session: SessionId) -> Option<Violation> {
    let history = knowledge.history;
    let record = &history.sessions[session];
    let endings: Vec<_> = history.endings.iter().filter(|ending| ending.key == record.key).collect();
    let logouts: Vec<_> =
        knowledge.ops_of(session).filter(|(_, op)| matches!(op.action, Action::Logout)).collect();
    let created = &history.ops[record.created_by];
    let (first, last) = (endings.first()?.at, endings.last()?.at);
    if logouts.len() > 1 || knowledge.was_divided(created.began, last) {
        return None;
    }
    let violation = |words: String| {
        let ops = logouts.iter().map(|(id, _)| *id).collect();
        Some(Violation { checker: CHECKER, words, session: Some(session), ops })
    };
    let acting: Vec<_> = endings.iter().filter(|ending| !ending.remote).collect();
    if acting.is_empty() && endings.iter().all(|ending| knowledge.was_up(ending.incarnation, first, last)) {
        return violation("nobody told of its end as the one who ended it".into());
    }
    // A request queued in a stopped process counts as a use when the process resumes, and may bring back an
    // expired session, which then ends a second time.
    let stopped = |life: &crate::history::SimLife| {
        life.pauses.iter().any(|(from, to)| *from <= last && to.is_none_or(|to| to >= created.began))
    };
    if history.lives.iter().any(stopped) {
        return None;
    }
    let times = |incarnation| acting.iter().filter(|ending| ending.incarnation == incarnation).count();
    if let Some(twice) = acting.iter().find(|ending| times(ending.incarnation) > 1) {
        return violation(format!("{} told twice of its end", twice.incarnation));
    }
    let ids: BTreeSet<_> = acting.iter().map(|ending| ending.event_id).collect();
    let undisturbed = acting.iter().all(|ending| knowledge.was_up(ending.incarnation, created.began, last));
    (ids.len() > 1 && undisturbed)
        .then(|| violation(format!("its end has several event ids: {ids:?}")))
        .flatten()
}

fn seconds(at: Instant) -> f64 {
    at.as_micros() as f64 / 1e6
}
