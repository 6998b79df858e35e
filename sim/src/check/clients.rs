//! The history as known to clients and an observer of processes, judged like any other.

use sessile_core::{Absent, Ack, Incarnation, Instant};
use sessile_history::{
    Agreement, BrokenPromiseKind, Division, History as ClientHistory, Holding, Life, Operation,
    SessionRecord, Settled, judge,
};

use crate::check::Violation;
use crate::history::{self, Op, Outcome, SimHistory};

pub(super) fn check(clients: &ClientHistory) -> Vec<Violation> {
    let violation = |broken: sessile_history::BrokenPromise| Violation {
        checker: checker(broken.kind),
        words: broken.why,
        session: Some(broken.session),
        ops: broken.operations,
    };
    judge(clients).broken_promises.into_iter().map(violation).collect()
}

/// The promise that brokens of a kind break.
fn checker(kind: BrokenPromiseKind) -> &'static str {
    match kind {
        BrokenPromiseKind::Lost => "C1 lost",
        BrokenPromiseKind::Doubled => "C3 doubled",
        BrokenPromiseKind::Resurrected => "C2 resurrected",
        BrokenPromiseKind::Torn => "C3 torn",
        BrokenPromiseKind::Diverged => "C5 diverged",
        BrokenPromiseKind::MixedUp => "C7 mixed up",
        BrokenPromiseKind::Stale => "C4 stale",
    }
}

/// The same run without the facts that only the simulator knows.
pub(super) fn client_history(history: &SimHistory) -> ClientHistory {
    let nodes = history.lives.iter().map(|life| life.host + 1).max().unwrap_or(0);
    ClientHistory {
        asynchronous: history.mode == Ack::Asynchronous,
        nodes: (0..nodes).map(|host| format!("n{host}")).collect(),
        sessions: history.sessions.iter().map(|session| session_of(history, session)).collect(),
        operations: history.ops.iter().map(operation_of).collect(),
        lives: history.lives.iter().map(life_of).collect(),
        divisions: history.divisions.iter().map(division_of).collect(),
        agreements: history.agreements.iter().map(agreement_of).collect(),
        holdings: history.healed.iter().chain(&history.last).map(holding_of).collect(),
    }
}

fn session_of(history: &SimHistory, session: &history::SimSession) -> SessionRecord {
    let endings = history.endings.iter().filter(|ending| ending.key == session.key);
    SessionRecord {
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

fn outcome_of(outcome: Outcome) -> sessile_history::OperationOutcome {
    match outcome {
        Outcome::Done => sessile_history::OperationOutcome::Ok,
        Outcome::Absent(Absent::WrongSecret) => sessile_history::OperationOutcome::WrongSecret,
        Outcome::Absent(_) => sessile_history::OperationOutcome::Absent,
        Outcome::Ended => sessile_history::OperationOutcome::Ended,
        Outcome::Failed => sessile_history::OperationOutcome::Failed,
        Outcome::Pending | Outcome::Unknown => sessile_history::OperationOutcome::Unknown,
    }
}

fn life_of(life: &history::SimLife) -> Life {
    Life {
        process: process(life.incarnation),
        node: life.host,
        from: life.from.as_micros(),
        to: micros(life.to),
        pauses: life.pauses.iter().map(|(from, to)| (from.as_micros(), micros(*to))).collect(),
    }
}

fn division_of(division: &history::SimDivision) -> Division {
    let sides = division.sides.clone();
    Division { from: division.from.as_micros(), to: micros(division.to), sides }
}

fn agreement_of(agreement: &history::SimAgreement) -> Agreement {
    let processes = agreement.incarnations.iter().copied().map(process).collect();
    Agreement { from: agreement.from.as_micros(), to: agreement.to.as_micros(), processes }
}

fn holding_of(holding: &history::SimHolding) -> Holding {
    let (process, at) = (process(holding.incarnation), holding.at.as_micros());
    Holding { process, at, sessions: holding.sessions.clone() }
}

fn micros(at: Option<Instant>) -> Option<u64> {
    at.map(Instant::as_micros)
}

fn process(incarnation: Incarnation) -> u64 {
    incarnation.0.into()
}
