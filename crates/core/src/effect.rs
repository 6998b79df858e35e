//! Effects: orders and reports of the core to its driver.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::{Incarnation, Notice, SessionKey};

/// The application that a session belongs to: a number that all members give the same application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(pub u32);

/// Names somebody who waits until a commit or an end is settled. The caller chooses it before the call, so
/// that it can be waiting when the outcome comes: below 2^63, and never one that is still waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl Ticket {
    /// Set in the numbers of what nobody waits for.
    const UNATTENDED: u64 = 1 << 63;

    /// Of a commit or an end that nobody waits for: it settles without an effect.
    pub(crate) fn unattended(number: u64) -> Self {
        Self(number | Self::UNATTENDED)
    }

    pub(crate) fn is_attended(self) -> bool {
        self.0 & Self::UNATTENDED == 0
    }
}

/// Names somebody who waits until every member has answered about a session. The caller chooses it, as a
/// [`Ticket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(pub u64);

/// The outcome of a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Complete copies that hold the change, the writer's own included.
    pub copies: u32,
    /// Copies that were wanted: the writer's own, those of the members that the ack_set awaited, and those of
    /// members that are lost.
    pub wanted: u32,
    /// The session had ended elsewhere: the change is dropped.
    pub ended: bool,
    /// The request came with a secret that a login had superseded: the change is dropped. The core leaves it
    /// open; the session layer knows.
    pub superseded: bool,
    /// Asynchronous mode: the age of the oldest change that no other member confirmed yet.
    pub unconfirmed_for: Option<Duration>,
    /// Where the response waited for a store: whether that has the change. The core leaves it open; its
    /// driver knows.
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

/// Where a node puts its frames.
///
/// A node calls it under the lock of the shard that gives the frames their positions, so that they leave in
/// this order without anybody restoring it. So it must not block, call the node, or make a system call: a
/// driver wakes whoever writes after the call into the node.
pub trait FrameSink {
    /// Takes a frame for that process. Once it is taken, it may still be lost, doubled and reordered.
    ///
    /// # Errors
    /// It was not taken, and why.
    fn send(&mut self, to: Incarnation, frame: Bytes) -> Result<(), NotSent>;
}

/// Takes every frame, in order: for tests and simulations.
impl FrameSink for Vec<(Incarnation, Bytes)> {
    fn send(&mut self, to: Incarnation, frame: Bytes) -> Result<(), NotSent> {
        self.push((to, frame));
        Ok(())
    }
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// No link leads to the process now.
    NotConnected,
    /// As much waits for it as may.
    QueueFull,
    /// No link carries a frame of this length.
    TooLong,
}

/// What one call decides: frames, which go into its sink at once, and the rest, which the driver has to do
/// after the call, in the order in which it was decided.
pub struct Effects<'s> {
    frames: &'s mut dyn FrameSink,
    decided: Vec<Effect>,
}

impl<'s> Effects<'s> {
    /// For one call, with the sink for its frames.
    pub fn new(frames: &'s mut dyn FrameSink) -> Self {
        Self { frames, decided: Vec::new() }
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.decided.push(effect);
    }

    /// A frame without a position. If there is no room for it now, it is sent again at the next tick: for
    /// those who get it, that is a slow network.
    pub(crate) fn send(&mut self, to: Incarnation, frame: Bytes) {
        if self.try_send(to, frame.clone()) == Err(NotSent::QueueFull) {
            self.push(Effect::Undelivered { to, frame });
        }
    }

    /// A frame whose sender does itself what is to be done when it is not taken.
    pub(crate) fn try_send(&mut self, to: Incarnation, frame: Bytes) -> Result<(), NotSent> {
        self.frames.send(to, frame)
    }

    /// For logs and counters.
    pub(crate) fn event(&mut self, event: Event) {
        self.push(Effect::Event(event));
    }

    /// The orders to the driver.
    pub fn into_decided(self) -> Vec<Effect> {
        self.decided
    }
}

impl fmt::Debug for Effects<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Effects").field(&self.decided).finish()
    }
}

impl Extend<Effect> for Effects<'_> {
    fn extend<T: IntoIterator<Item = Effect>>(&mut self, effects: T) {
        self.decided.extend(effects);
    }
}

/// Something the driver must do.
#[derive(Debug)]
pub enum Effect {
    /// A commit or an end is settled: wake who waits for it. Exactly once for each ticket.
    Settled {
        /// Which one.
        ticket: Ticket,
        /// Its outcome.
        receipt: Receipt,
    },
    /// Every member answered: open the session again with `open_answered`. Exactly once for each
    /// [`Opening::Asking`](crate::Opening::Asking).
    Answered {
        /// The waiting request.
        question: QuestionId,
    },
    /// The content of this session is needed, and it was swapped out: bring it with `restore`, or say `lost`.
    /// Once until one of them.
    Fetch {
        /// The session.
        key: SessionKey,
    },
    /// A session changed or ended: a store lacks it. Only where [`Settings::stores`](crate::Settings::stores)
    /// says so.
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
    /// This frame found no room: hand it to [`Node::undelivered`](crate::Node::undelivered).
    Undelivered {
        /// The process.
        to: Incarnation,
        /// The frame.
        frame: Bytes,
    },
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
        /// Its place among the notices of that part, without gaps: two threads may come by in the wrong
        /// order.
        sequence: u64,
        /// The event.
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
        /// The member that said so.
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
    /// No frame can carry the session: the member has no copy, or an old one that serves nobody.
    TooLong,
}

impl NotTaken {
    /// Every cause.
    pub const ALL: [Self; 6] =
        [Self::NeedSnapshot, Self::Ended, Self::Full, Self::InUse, Self::Gap, Self::TooLong];

    /// The cause as one word, for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::NeedSnapshot => "need_snapshot",
            Self::Ended => "ended",
            Self::Full => "full",
            Self::InUse => "in_use",
            Self::Gap => "gap",
            Self::TooLong => "too_long",
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
        /// The member that said so.
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
    /// A member has acknowledged nothing for the ack timeout although something is on the way to it. What is
    /// on the way is given up and sent again.
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
