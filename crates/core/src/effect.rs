//! What the core asks of its driver, and what it tells.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::{Incarnation, Notice, SessionKey};

/// The application that a session belongs to: a number that all members give the same application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(pub u32);

/// Names a commit or an end whose settling somebody may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Names a question that is being put to every member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(pub u64);

/// What became of a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Complete copies that hold the change, the writer's own included.
    pub copies: u32,
    /// Copies that were wanted: the writer's own, those of the members that the ack_set awaited, and those of
    /// members that are lost.
    pub wanted: u32,
    /// The session had ended elsewhere: the change is dropped.
    pub ended: bool,
    /// The request came with a secret that a login had superseded: the change is dropped. The core leaves it open; the
    /// session layer knows.
    pub superseded: bool,
    /// Asynchronous mode: the age of the oldest change that no other member confirmed yet.
    pub unconfirmed_for: Option<Duration>,
    /// Where the response waited for a store: whether that has the change. The core leaves it open; its driver knows.
    pub stored: Option<bool>,
}

impl Receipt {
    /// Fewer copies than wanted hold the change.
    pub fn is_degraded(&self) -> bool {
        self.copies < self.wanted && self.unconfirmed_for.is_none()
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ended {
            return f.write_str("ended");
        }
        if self.superseded {
            return f.write_str("superseded");
        }
        write!(f, "copies={}/{}", self.copies, self.wanted)?;
        match self.unconfirmed_for {
            Some(age) => write!(f, " async age={}ms", age.as_millis())?,
            None if self.is_degraded() => f.write_str(" degraded")?,
            None => {}
        }
        match self.stored {
            Some(true) => f.write_str(" stored"),
            Some(false) => f.write_str(" not-stored"),
            None => Ok(()),
        }
    }
}

/// What the driver has to do after a call, in the order in which it was decided.
#[derive(Debug, Default)]
pub struct Effects(Vec<Effect>);

impl Effects {
    /// Appends an effect.
    pub fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    /// A frame for one process.
    pub(crate) fn send(&mut self, to: Incarnation, frame: Bytes) {
        self.push(Effect::Send { to, frame });
    }

    /// For logs and counters.
    pub(crate) fn event(&mut self, event: Event) {
        self.push(Effect::Event(event));
    }

    /// What was decided since the last time.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect> {
        self.0.drain(..)
    }

    /// What was decided since then, without taking it.
    pub fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.0.iter()
    }

    /// Nothing was decided.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<Effect> for Effects {
    fn extend<T: IntoIterator<Item = Effect>>(&mut self, effects: T) {
        self.0.extend(effects);
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = std::vec::IntoIter<Effect>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Something the driver must do. Order per destination is kept.
#[derive(Debug)]
pub enum Effect {
    /// Carry this frame to that process, if a link is up. Frames may be lost, doubled and reordered.
    Send {
        /// The process.
        to: Incarnation,
        /// One whole frame.
        frame: Bytes,
    },
    /// A commit or an end is settled: wake who waits for it. Exactly once per ticket.
    Settled {
        /// Which one.
        ticket: Ticket,
        /// What became of it.
        receipt: Receipt,
    },
    /// Every member answered: open the session again with `open_answered`.
    Answered {
        /// Which question.
        ask: QuestionId,
    },
    /// The content of this session is needed, and it was swapped out: bring it with `restore`, or say `lost`. Once
    /// until one of them.
    Fetch {
        /// The session.
        key: SessionKey,
    },
    /// A session changed or ended: a store lacks it. Only where [`Settings::stores`](crate::Settings::stores) says so.
    Changed {
        /// The session.
        key: SessionKey,
        /// This node did it.
        here: bool,
    },
    /// A session that was here has ended: what the driver keeps for it goes.
    SessionEnded {
        /// The session.
        key: SessionKey,
    },
    /// A member is out that did not say goodbye: what it has not done may be left undone.
    MemberLost,
    /// The gate or the state of this node may have changed: whoever waits for either looks again.
    GateMoved,
    /// This process is barred for good: close its link and do not dial it again.
    Forget {
        /// The process.
        incarnation: Incarnation,
    },
    /// For logs and counters.
    Event(Event),
    /// For listeners; see [`Node::listen`](crate::Node::listen).
    Notice {
        /// Which part of the sessions it is about: all notices of one session are of one part.
        shard: u8,
        /// Its place among the notices of that part, without gaps: two threads may come by in the wrong order.
        sequence: u64,
        /// What happened.
        notice: Notice,
    },
}

/// Why a member left the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It said goodbye.
    Left,
    /// Its process is proven gone.
    Gone,
    /// No echo for the drop time.
    Silent,
    /// It echoes, but acknowledges nothing.
    NotAcknowledging,
    /// Another member removed it.
    Announced {
        /// Who said so.
        by: Incarnation,
    },
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("left"),
            Self::Gone => f.write_str("its process is gone"),
            Self::Silent => f.write_str("no echo for the drop time"),
            Self::NotAcknowledging => f.write_str("no acknowledgement for the drop time"),
            Self::Announced { by } => write!(f, "removed by {by}"),
        }
    }
}

/// Why a member did not take what it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It has no complete copy that the change could be applied to; it gets one.
    NeedSnapshot,
    /// The session ended there; the end follows.
    Ended,
    /// It has no room: the session has fewer copies than wanted.
    Full,
    /// An expiry met a copy that is in use; the copy follows.
    InUse,
    /// Something that was sent before did not come; all that is on the way is sent again.
    Gap,
}

impl NotTaken {
    /// Every cause.
    pub const ALL: [Self; 5] = [Self::NeedSnapshot, Self::Ended, Self::Full, Self::InUse, Self::Gap];

    /// The cause as one word, for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::NeedSnapshot => "need_snapshot",
            Self::Ended => "ended",
            Self::Full => "full",
            Self::InUse => "in_use",
            Self::Gap => "gap",
        }
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The application invalidated it. Final.
    Invalidated,
    /// Nobody used it for its idle time, or it reached its greatest age.
    Expired,
}

/// Something that happened, for logs and counters: a driver that throws all events away behaves the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A member is in the view now.
    MemberAdded {
        /// The process.
        incarnation: Incarnation,
        /// Its node name.
        name: String,
    },
    /// A member has not echoed for a while.
    MemberSuspected {
        /// The process.
        incarnation: Incarnation,
        /// Its node name.
        name: String,
    },
    /// A member is out of the view.
    MemberRemoved {
        /// The process.
        incarnation: Incarnation,
        /// Its node name.
        name: String,
        /// Why.
        cause: Removal,
    },
    /// A joining node asks this member for the state.
    StateRequested {
        /// The donor.
        from: Incarnation,
    },
    /// The state is here.
    StateReceived {
        /// Sessions now held.
        sessions: u64,
        /// Since the request.
        elapsed: Duration,
    },
    /// A donor failed or refused; another one is asked.
    TransferInterrupted {
        /// The donor that failed.
        donor: Incarnation,
    },
    /// Others count these processes as members, but no link leads there: the join waits for them.
    Unreachable {
        /// The processes.
        incarnations: Vec<Incarnation>,
    },
    /// Nobody else is here, or only other joiners: this node begins the cluster.
    Founded,
    /// The node may serve.
    BecameReady {
        /// False when the transfer time passed before everything was here.
        complete: bool,
    },
    /// Others went on without this node: it stops serving and reconciles.
    SteppedOut {
        /// Who said so.
        by: Incarnation,
    },
    /// A session was created.
    Created {
        /// The session.
        key: SessionKey,
        /// Its application.
        app: AppId,
        /// Learned from another member.
        remote: bool,
    },
    /// A session that no member knew any more was brought back from a store.
    Revived {
        /// The session.
        key: SessionKey,
        /// Its application.
        app: AppId,
    },
    /// A change of a session arrived from another member.
    Replicated {
        /// The session.
        key: SessionKey,
        /// The writer.
        from: Incarnation,
    },
    /// A session ended.
    Ended {
        /// The session.
        key: SessionKey,
        /// Its application, if it was known here.
        app: AppId,
        /// Why.
        reason: EndReason,
        /// The same on every node and at every repetition.
        event_id: u64,
        /// Learned from another member.
        remote: bool,
    },
    /// A member did not take a change or a copy that it was sent.
    NotTaken {
        /// The session; `None` when something before it was missing.
        key: Option<SessionKey>,
        /// The member.
        by: Incarnation,
        /// Why.
        cause: NotTaken,
    },
    /// A member has acknowledged nothing for the ack timeout although something is on the way to it. What is on the
    /// way is given up and sent again.
    AckLate {
        /// The member.
        by: Incarnation,
        /// The timeout.
        after: Duration,
    },
    /// Another live process has this node's name: this one may not join.
    NameTaken {
        /// The process that has it.
        by: Incarnation,
    },
}
