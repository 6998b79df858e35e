//! The history as clients and an observer of processes would tell it, judged as any other.

use sessile_core::{Absent, Incarnation, Instant, Mode};
use sessile_history::{
    Division, Harmony, History as Told, Holding, Kind, Life, Operation, Session, Settled, judge,
};

use crate::check::Violation;
use crate::history::{self, History, Op, Outcome};

pub(super) fn check(told: &Told) -> Vec<Violation> {
    let violation = |finding: sessile_history::Finding| Violation {
        checker: checker(finding.kind),
        words: finding.why,
        session: Some(finding.session),
        ops: finding.operations,
    };
    judge(told).findings.into_iter().map(violation).collect()
}

/// The promise that findings of a kind break.
fn checker(kind: Kind) -> &'static str {
    match kind {
        Kind::Lost => "C1 lost",
        Kind::Doubled => "C3 doubled",
        Kind::Resurrected => "C2 resurrected",
        Kind::Torn => "C3 torn",
        Kind::Diverged => "C5 diverged",
        Kind::MixedUp => "C7 mixed up",
        Kind::Stale => "C4 stale",
    }
}

/// The same run, without what only a simulator knows.
pub(super) fn told(history: &History) -> Told {
    let nodes = history.lives.iter().map(|life| life.host + 1).max().unwrap_or(0);
    Told {
        asynchronous: history.mode == Mode::Asynchronous,
        nodes: (0..nodes).map(|host| format!("n{host}")).collect(),
        sessions: history.sessions.iter().map(|session| session_of(history, session)).collect(),
        operations: history.ops.iter().map(operation_of).collect(),
        lives: history.lives.iter().map(life_of).collect(),
        divisions: history.divisions.iter().map(division_of).collect(),
        harmonies: history.harmonies.iter().map(harmony_of).collect(),
        holdings: history.healed.iter().chain(&history.last).map(holding_of).collect(),
    }
}

fn session_of(history: &History, session: &history::Session) -> Session {
    let endings = history.endings.iter().filter(|ending| ending.key == session.key);
    Session {
        key: session.key.to_string(),
        canary: session.canary,
        created_by: session.created_by,
        ended_at: endings.map(|ending| ending.at.as_micros()).min(),
    }
}

fn operation_of(op: &Op) -> Operation {
    let settled = op.receipt.map(|(at, receipt)| Settled { at: at.as_micros(), copies: receipt.copies });
    Operation {
        client: 0,
        session: op.session,
        secret: op.secret,
        action: op.action.clone(),
        began: op.began.as_micros(),
        ended: micros(op.ended),
        outcome: outcome_of(op.outcome),
        process: op.incarnation.map(process),
        seen: op.seen.clone(),
        damaged: Vec::new(),
        opened: micros(op.opened),
        committed: micros(op.committed),
        settled,
        holders: Some(op.holders.iter().copied().map(process).collect()),
    }
}

fn outcome_of(outcome: Outcome) -> sessile_history::Outcome {
    match outcome {
        Outcome::Done => sessile_history::Outcome::Ok,
        Outcome::Absent(Absent::WrongSecret) => sessile_history::Outcome::WrongSecret,
        Outcome::Absent(_) => sessile_history::Outcome::Absent,
        Outcome::Ended => sessile_history::Outcome::Ended,
        Outcome::Failed => sessile_history::Outcome::Failed,
        Outcome::Pending | Outcome::Unknown => sessile_history::Outcome::Unknown,
    }
}

fn life_of(life: &history::Life) -> Life {
    Life {
        process: process(life.incarnation),
        node: life.host,
        from: life.from.as_micros(),
        to: micros(life.to),
        pauses: life.pauses.iter().map(|(from, to)| (from.as_micros(), micros(*to))).collect(),
    }
}

fn division_of(division: &history::Division) -> Division {
    let sides = division.sides.clone();
    Division { from: division.from.as_micros(), to: micros(division.to), sides }
}

fn harmony_of(harmony: &history::Harmony) -> Harmony {
    let processes = harmony.incarnations.iter().copied().map(process).collect();
    Harmony { from: harmony.from.as_micros(), to: harmony.to.as_micros(), processes }
}

fn holding_of(holding: &history::Holding) -> Holding {
    let (process, at) = (process(holding.incarnation), holding.at.as_micros());
    Holding { process, at, sessions: holding.sessions.clone() }
}

fn micros(at: Option<Instant>) -> Option<u64> {
    at.map(Instant::as_micros)
}

fn process(incarnation: Incarnation) -> u64 {
    incarnation.0.into()
}
