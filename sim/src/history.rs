//! The observations of clients and the events of processes: the only input of the checkers.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use sessile_core::{Absent, Ack, EndReason, Incarnation, Instant, Receipt, Secret, SessionKey};
pub use sessile_history::{Action, Attribute, Seen};

/// A node's name, as an index: a restarted process has the same host and another incarnation.
pub type HostId = usize;

/// Index of an operation in [`SimHistory::ops`].
pub type OpId = usize;

/// Index of a session in [`SimHistory::sessions`].
pub type SessionId = usize;

/// The outcome of an operation as known by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No answer yet.
    Pending,
    /// It was done and acknowledged.
    Done,
    /// The node answered that there is no such session.
    Absent(Absent),
    /// The session ended meanwhile; nothing was changed.
    Ended,
    /// It had no effect: no node processed it.
    Failed,
    /// It may have had an effect, now or later.
    Unknown,
}

/// One operation of a client.
#[derive(Clone, Debug)]
pub struct Op {
    /// The affected session.
    pub session: SessionId,
    /// Index of the session's secret that the client used.
    pub secret: usize,
    /// The request.
    pub action: Action,
    /// How long the request's handler runs.
    pub handler: Duration,
    /// When the attempt that counts was sent.
    pub began: Instant,
    /// When the client had its answer.
    pub ended: Option<Instant>,
    /// The answer.
    pub outcome: Outcome,
    /// The process that worked on it last.
    pub incarnation: Option<Incarnation>,
    /// When the session was opened for it.
    pub opened: Option<Instant>,
    /// When its handler was over and it was committed.
    pub committed: Option<Instant>,
    /// When the session was closed again.
    pub closed: Option<Instant>,
    /// The session as opened.
    pub seen: Option<Seen>,
    /// It comes from the process itself, without a secret.
    pub is_trusted: bool,
    /// When its commit settled, and how.
    pub receipt: Option<(Instant, Receipt)>,
    /// Copies that the receipt may want.
    pub wanted: Option<RangeInclusive<u32>>,
    /// The processes that held the change at that time; of an end, those that knew of it.
    pub holders: Vec<Incarnation>,
}

impl Op {
    /// An operation that a client is about to send.
    pub fn new(session: SessionId, secret: usize, action: Action, handler: Duration, began: Instant) -> Self {
        Self {
            session,
            secret,
            action,
            handler,
            began,
            ended: None,
            outcome: Outcome::Pending,
            incarnation: None,
            opened: None,
            committed: None,
            closed: None,
            seen: None,
            is_trusted: false,
            receipt: None,
            wanted: None,
            holders: Vec::new(),
        }
    }

    /// The value that it gives `attribute`, if it writes it at all.
    pub fn writes(&self, attribute: Attribute) -> Option<Option<u64>> {
        let Action::Write(writes) = &self.action else { return None };
        writes.iter().find(|(name, _)| *name == attribute).map(|(_, value)| *value)
    }

    /// When it was over for the client; an unknown one is never over.
    pub fn over(&self) -> Option<Instant> {
        (self.outcome == Outcome::Done).then_some(self.ended).flatten()
    }

    /// Whether it may ever have had an effect. One that was committed and then met the end of its session
    /// was seen until then.
    pub fn counts(&self) -> bool {
        match self.outcome {
            Outcome::Failed | Outcome::Absent(_) => false,
            Outcome::Ended => self.receipt.is_some(),
            Outcome::Pending | Outcome::Done | Outcome::Unknown => true,
        }
    }
}

/// One session of the clients.
#[derive(Clone, Debug)]
pub struct SimSession {
    /// Its name in the cluster.
    pub key: SessionKey,
    /// Its secrets, in the order in which logins began.
    pub secrets: Vec<Secret>,
    /// Its idle time.
    pub max_inactive: Duration,
    /// Its greatest age.
    pub max_age: Option<Duration>,
    /// What its canary must say.
    pub canary: u64,
    /// The operation that created it.
    pub created_by: OpId,
}

/// One process from start to end.
#[derive(Clone, Debug)]
pub struct SimLife {
    /// The process.
    pub incarnation: Incarnation,
    /// Its node.
    pub host: HostId,
    /// Its start.
    pub from: Instant,
    /// Its end.
    pub to: Option<Instant>,
    /// When it was stopped, and when it went on.
    pub pauses: Vec<(Instant, Option<Instant>)>,
}

impl SimLife {
    /// Since when it runs without having been stopped.
    pub fn runs_since(&self) -> Instant {
        self.pauses.last().and_then(|(_, end)| *end).unwrap_or(self.from)
    }

    /// Whether it is stopped now and was so already at `at`.
    pub fn stands_still_since(&self, at: Instant) -> bool {
        self.pauses.last().is_some_and(|(begin, end)| *begin <= at && end.is_none())
    }
}

/// A time in which the cluster was, or may have been, divided by a cut.
#[derive(Clone, Debug)]
pub struct SimDivision {
    /// The first cut.
    pub from: Instant,
    /// All cuts are healed and all nodes agree again.
    pub to: Option<Instant>,
    /// The side of each host, if the same clean cut divided them all the time.
    pub sides: Option<Vec<u8>>,
}

/// An interval without cuts or stopped processes in which all live nodes were ready with the same members.
#[derive(Clone, Debug)]
pub struct SimAgreement {
    /// Seen first.
    pub from: Instant,
    /// Seen last.
    pub to: Instant,
    /// The live processes.
    pub incarnations: Vec<Incarnation>,
}

/// A node's event that a session ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// When.
    pub at: Instant,
    /// On which process.
    pub incarnation: Incarnation,
    /// Which session.
    pub key: SessionKey,
    /// Why.
    pub reason: EndReason,
    /// The id of the event.
    pub event_id: u64,
    /// It was learned from another node.
    pub remote: bool,
}

/// A notice that a session ended, made by a process for an end of its own or in place of a dead member.
#[derive(Clone, Copy, Debug)]
pub struct Spoken {
    /// When.
    pub at: Instant,
    /// On which process.
    pub incarnation: Incarnation,
    /// Which session.
    pub key: SessionKey,
}

/// A member that a process removed from its view as lost.
#[derive(Clone, Copy, Debug)]
pub struct SimRemoval {
    /// When.
    pub at: Instant,
    /// The process that removed it.
    pub by: Incarnation,
    /// The member.
    pub member: Incarnation,
}

/// The sessions of a node when the cluster was quiet.
#[derive(Clone, Debug)]
pub struct SimHolding {
    /// The process.
    pub incarnation: Incarnation,
    /// When.
    pub at: Instant,
    /// The clients' sessions that it had a complete copy of.
    pub sessions: BTreeMap<SessionId, Seen>,
    /// Sessions in its list that no client knows.
    pub strangers: usize,
}

/// One run.
#[derive(Default)]
pub struct SimHistory {
    /// When commits settle.
    pub mode: Ack,
    /// All sessions.
    pub sessions: Vec<SimSession>,
    /// All operations, in the order in which they began.
    pub ops: Vec<Op>,
    /// All processes.
    pub lives: Vec<SimLife>,
    /// All divisions.
    pub divisions: Vec<SimDivision>,
    /// All agreements.
    pub agreements: Vec<SimAgreement>,
    /// All endings.
    pub endings: Vec<Ending>,
    /// Nodes with different copies of a resting session although all nodes agreed.
    pub disagreements: Vec<[SimHolding; 2]>,
    /// After the healing, before the last idle times ran out.
    pub healed: Vec<SimHolding>,
    /// At the very end.
    pub last: Vec<SimHolding>,
    /// The first operation of the last phase, when every commit must be whole.
    pub final_writes_from: OpId,
    /// Failures found during the run, independent of the history.
    pub alarms: Vec<String>,
    /// Promises about numbers that were broken during the run: the checker and a description.
    pub broken: Vec<(&'static str, String)>,
    /// What listeners were notified of: that a session ended, by the process itself or in place of a dead
    /// one.
    pub spoken: Vec<Spoken>,
    /// Members that a process removed as lost.
    pub removals: Vec<SimRemoval>,
    /// Commits wait for all members.
    pub waits_for_all: bool,
    /// Nodes have room for every copy.
    pub has_room: bool,
    /// Ends are remembered for as long as a member may have to speak of them in place of a dead one.
    pub remembers_ends: bool,
    /// Every frame that is sent arrives soon, unless its sender dies or a cut is in its way.
    pub is_reliable: bool,
    /// Silence after which a member is removed.
    pub drop_time: Duration,
}

impl SimHistory {
    /// The operations on one session.
    pub fn ops_of(&self, session: SessionId) -> impl Iterator<Item = (OpId, &Op)> {
        self.ops.iter().enumerate().filter(move |(_, op)| op.session == session)
    }

    /// The process of that incarnation.
    pub fn life(&self, incarnation: Incarnation) -> Option<&SimLife> {
        self.lives.iter().find(|life| life.incarnation == incarnation)
    }

    /// Describes an operation in one line.
    pub fn describe(&self, id: OpId) -> String {
        let op = &self.ops[id];
        let seconds = |at: Option<Instant>| at.map_or(f64::NAN, |at| at.as_micros() as f64 / 1e6);
        let host = op
            .incarnation
            .and_then(|incarnation| self.life(incarnation))
            .map_or("-".into(), |life| format!("n{}", life.host));
        let incarnation = op.incarnation.map_or("-".into(), |incarnation| incarnation.to_string());
        let mut line = format!(
            "op {id:>4} s{} {host}/{incarnation} began {:.6} opened {:.6} ended {:.6} {} → {:?}",
            op.session,
            seconds(Some(op.began)),
            seconds(op.opened),
            seconds(op.ended),
            op.action,
            op.outcome,
        );
        if let Some((at, receipt)) = op.receipt {
            line +=
                &format!(" settled {:.6} {receipt} held by {:?}", seconds(Some(at)), self.hosts(&op.holders));
        }
        if let Some(seen) = &op.seen {
            let seen: Vec<_> = seen.iter().map(|(name, value)| format!("{name}={value}")).collect();
            line += &format!(" saw {}", seen.join(" "));
        }
        line
    }

    fn hosts(&self, incarnations: &[Incarnation]) -> Vec<HostId> {
        incarnations.iter().filter_map(|incarnation| self.life(*incarnation)).map(|life| life.host).collect()
    }
}
