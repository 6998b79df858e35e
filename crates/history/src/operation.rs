//! One operation of a client: what it asked for, and what it knows of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Attribute, Micros, ProcessId, Seen, SessionId};

/// What a client asked for.
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

/// What the client knows of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done and acknowledged.
    Ok,
    /// The node said that there is no such session.
    Absent,
    /// The node said that the session has another secret by now.
    WrongSecret,
    /// The session ended meanwhile: what was changed went with it.
    Ended,
    /// Nobody processed it: it has no effect, now or later.
    Failed,
    /// It may have had an effect, or may have one later. What is never answered is unknown, not failed.
    Unknown,
}

/// The moment of a commit's confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// When.
    pub at: Micros,
    /// How many copies the receipt counted.
    pub copies: u32,
}

/// One operation. What only an observer of the cluster can know is optional.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Who asked; a client may have several at once.
    pub client: u32,
    /// The session it is about.
    pub session: SessionId,
    /// Which of the session's secrets the client showed; 0 is the first.
    #[serde(default, skip_serializing_if = "is_first")]
    pub secret: usize,
    /// What it asked for.
    pub action: Action,
    /// When it was sent.
    pub began: Micros,
    /// When the client had its answer, or gave up.
    pub ended: Option<Micros>,
    /// The answer.
    pub outcome: Outcome,
    /// Who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessId>,
    /// What it saw of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// Attributes whose bytes were not those of their value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<Attribute>,
    /// When the session was opened for it, if somebody watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Micros>,
    /// When it was committed, if somebody watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<Micros>,
    /// Its receipt, if one was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
    /// The processes that held the change when it settled, if somebody watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holders: Option<Vec<ProcessId>>,
}

fn is_first(secret: &usize) -> bool {
    *secret == 0
}

impl Operation {
    /// An operation that was just sent; its outcome is unknown until there is an answer.
    pub fn new(client: u32, session: SessionId, action: Action, began: Micros) -> Self {
        Self {
            client,
            session,
            secret: 0,
            action,
            began,
            ended: None,
            outcome: Outcome::Unknown,
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

    /// When it was over for the client; only what was acknowledged is ever over.
    pub fn over(&self) -> Option<Micros> {
        (self.outcome == Outcome::Ok).then_some(self.ended).flatten()
    }

    /// Whether it may ever have had an effect. One that was committed and then met the end of its session was seen
    /// until then.
    pub fn counts(&self) -> bool {
        match self.outcome {
            Outcome::Failed | Outcome::Absent | Outcome::WrongSecret => false,
            Outcome::Ended => self.settled.is_some(),
            Outcome::Ok | Outcome::Unknown => true,
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
