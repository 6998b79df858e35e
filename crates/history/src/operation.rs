//! One operation of a client: its request and its known result.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Attribute, Micros, ProcessId, Seen, SessionId};

/// The request of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A new session, with its canary.
    Create,
    /// Attributes get new values; `None` removes.
    Write(Vec<(Attribute, Option<u64>)>),
    /// Nothing changes.
    Read,
    /// A change of the id: the secret of the first index ends, that of the second begins.
    Login(usize, usize),
    /// The session ends.
    Logout,
}

/// The outcome of an operation as known by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationOutcome {
    /// It was done and acknowledged.
    Ok,
    /// The node answered that there is no such session.
    Absent,
    /// The node answered that the session has another secret.
    WrongSecret,
    /// The session ended meanwhile, together with the change.
    Ended,
    /// No node processed it: it has no effect, now or later.
    Failed,
    /// It may have an effect, now or later. An unanswered operation is unknown, not failed.
    Unknown,
}

/// The moment of a commit's acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// When.
    pub at: Micros,
    /// How many copies the receipt counted.
    pub copies: u32,
}

/// One operation. Facts that only an observer of the cluster can know are optional.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The client; it may have several operations at once.
    pub client: u32,
    /// The session it is about.
    pub session: SessionId,
    /// Index of the session's secret that the client used; 0 is the first.
    #[serde(default, skip_serializing_if = "is_first")]
    pub secret: usize,
    /// The request.
    pub action: Action,
    /// When it was sent.
    pub began: Micros,
    /// When the client had its response, or gave up.
    pub ended: Option<Micros>,
    /// The answer.
    pub outcome: OperationOutcome,
    /// The answering process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessId>,
    /// The session as seen by the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// Attributes with damaged bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<Attribute>,
    /// When the session was opened for it, if observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Micros>,
    /// When it was committed, if observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<Micros>,
    /// Its receipt, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
    /// The processes that held the change when it settled, if observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holders: Option<Vec<ProcessId>>,
}

fn is_first(secret: &usize) -> bool {
    *secret == 0
}

impl Operation {
    /// A newly sent operation; its outcome is unknown until there is a response.
    pub fn new(client: u32, session: SessionId, action: Action, began: Micros) -> Self {
        Self {
            client,
            session,
            secret: 0,
            action,
            began,
            ended: None,
            outcome: OperationOutcome::Unknown,
            process: None,
            seen: None,
            damaged: Vec::new(),
            opened: None,
            committed: None,
            settled: None,
            holders: None,
        }
    }

    /// The value that it gives `attribute`, if it writes it at all.
    pub fn writes(&self, attribute: Attribute) -> Option<Option<u64>> {
        self.written().iter().find(|(name, _)| *name == attribute).map(|(_, value)| *value)
    }

    /// All that it writes.
    pub fn written(&self) -> &[(Attribute, Option<u64>)] {
        match &self.action {
            Action::Write(writes) => writes,
            _ => &[],
        }
    }

    /// When it was over for the client; only an acknowledged operation is ever over.
    pub fn over(&self) -> Option<Micros> {
        (self.outcome == OperationOutcome::Ok).then_some(self.ended).flatten()
    }

    /// Whether it may ever have had an effect. An operation that was committed before its session ended was
    /// visible until the end.
    pub fn counts(&self) -> bool {
        match self.outcome {
            OperationOutcome::Failed | OperationOutcome::Absent | OperationOutcome::WrongSecret => false,
            OperationOutcome::Ended => self.settled.is_some(),
            OperationOutcome::Ok | OperationOutcome::Unknown => true,
        }
    }

    /// The latest moment at which its session can have been opened for it, if it was.
    pub(crate) fn latest_opening(&self) -> Option<Micros> {
        self.opened.or_else(|| self.seen.as_ref().and(self.ended))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("create"),
            Self::Read => f.write_str("read"),
            Self::Logout => f.write_str("logout"),
            Self::Login(old, new) => write!(f, "login {old}→{new}"),
            Self::Write(writes) => {
                f.write_str("write")?;
                writes.iter().try_for_each(|(name, value)| match value {
                    Some(value) => write!(f, " {name}={value}"),
                    None => write!(f, " -{name}"),
                })
            }
        }
    }
}
