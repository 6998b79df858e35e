//! What a node is announced at its start: who it is, its times, its bounds.

use std::sync::Arc;
use std::time::Duration;

use crate::{AckSet, Incarnation};

/// Everything a [`Node`](crate::Node) is announced once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This start of this process: random, never used by any other member.
    pub incarnation: Incarnation,
    /// The node's name: the route in cookies. Two live processes never share it.
    pub name: String,
    /// Heartbeats, leases and waits.
    pub timing: Timing,
    /// How much may be held.
    pub bounds: Bounds,
    /// Copies that make a commit whole, the writer's own included; `None`: one on every member.
    pub copies: Option<u32>,
    /// When a commit counts as settled.
    pub mode: Mode,
    /// Whether a store wants to know what changes (`Effect::Changed`).
    pub stores: bool,
    /// Whom a commit waits for; the same on every node. [`AllMembers`](crate::AllMembers) by default.
    pub ack_set: Arc<dyn AckSet>,
    /// A deliberate bug. Anything but [`Plant::None`] is for the simulator and the test hosts, which must catch it.
    pub plant: Plant,
}

/// The times of the cluster. All members must use the same.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Between two heartbeats to a member. Default 500 ms.
    pub heartbeat: Duration,
    /// Silence after which a member is removed; at least four heartbeats. Default 3 s.
    pub drop_time: Duration,
    /// No progress of acknowledgements for so long: send again, as copies. Default 1 s.
    pub ack_timeout: Duration,
    /// How long a start waits for the state; `None` waits for ever. Default 60 s.
    pub transfer_timeout: Option<Duration>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(500),
            drop_time: Duration::from_secs(3),
            ack_timeout: Duration::from_secs(1),
            transfer_timeout: Some(Duration::from_secs(60)),
        }
    }
}

impl Timing {
    /// How long after a granted heartbeat was *sent* a node may still answer: two thirds of the drop time.
    pub fn lease(&self) -> Duration {
        self.drop_time * 2 / 3
    }

    /// A member is granted leases only while it echoed a heartbeat younger than this: the last third of
    /// the drop time. So whoever is removed after the drop time has had no lease for one lease before.
    pub fn grant_window(&self) -> Duration {
        self.drop_time / 3
    }

    /// How often [`Node::tick`](crate::Node::tick) wants to be called.
    pub fn tick(&self) -> Duration {
        self.heartbeat / 4
    }
}

/// How much a node holds; over a bound the answer is a clear error.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Live sessions; bounds their creation, never the taking of copies.
    pub max_active: u64,
    /// Bytes of one attribute's value.
    pub max_attribute_bytes: usize,
    /// Bytes of one session's names and values.
    pub max_session_bytes: usize,
    /// Bytes of all copies; a copy over it is refused with a negative acknowledgement.
    pub max_table_bytes: usize,
    /// Bytes of changes on the way to one member that it has not confirmed. Above it, changes are noted as backlog and
    /// sent later, as copies.
    pub max_unconfirmed_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_active: 1_000_000,
            max_attribute_bytes: 1 << 20,
            max_session_bytes: 4 << 20,
            max_table_bytes: 4 << 30,
            max_unconfirmed_bytes: 64 << 20,
        }
    }
}

/// When a commit counts as settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// When every current member that the ack_set awaits holds it. Ends wait for all, in every mode.
    #[default]
    Synchronous,
    /// At once; the receipt shows the age of the oldest change that is not yet confirmed.
    Asynchronous,
}

/// Bugs that a simulator and test hosts plant to prove that its checkers see them.
///
/// Each leaves out one rule of PROTOCOL.md; the program never passes any but `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plant {
    /// No bug.
    #[default]
    None,
    /// The writer in a timestamp is made from the node's name, so a restarted node reissues timestamps.
    WriterIsName,
    /// The timestamp is taken when a request opens the session, not under the lock at commit.
    TimestampAtSet,
    /// The counter comes from the live fields, forgetting removed ones.
    CounterFromLiveFields,
    /// An end is a write like any other: a later timestamp brings the session back.
    EndComparedByTimestamp,
    /// A delta for an unknown session makes a copy of what came, is acknowledged, and the copy is taken for complete.
    AckIncomplete,
    /// A state transfer carries neither the ends nor the birth marks.
    TransferWithoutEnds,
    /// Commits do not wait for a joining member, nor owe it what was staged before.
    JoinerNotAwaited,
    /// After a member died the others do not compare what they hold.
    BacklogForgotten,
    /// A node answers without a lease.
    NoLease,
    /// Invalidate answers before the others know.
    EndAsynchronous,
    /// A frame beyond a gap is taken and acknowledged like the next one.
    GapOverlooked,
    /// A frame that is not taken is acknowledged without saying so.
    RefusalUnreported,
    /// An acknowledgement is believed though an earlier one, and what it refused, has not come.
    AckOutOfOrder,
    /// A field takes whatever arrives last.
    MergedByArrival,
    /// A copy carries the session's clock as the timestamp of every field.
    CopyTimestampedAnew,
    /// A copy leaves out the marks of removed fields.
    RemovalsNotCopied,
    /// A delta does not raise the receiver's clock.
    ClockNotRaised,
    /// A login tells the others the new secret and not the end of the old one.
    OldSecretKept,
    /// A superseded secret shows the session as it is, with what was written after the change.
    SupersededSeesAll,
    /// A commit settles when the first member confirmed it.
    SettlesOnFirst,
    /// A member that cannot be reached just now is not waited for.
    UnlinkedNotAwaited,
    /// A response does not wait for the commit that it read.
    ReadsDoNotWait,
    /// Content that comes back from the store replaces what arrived meanwhile.
    RestoreOverwrites,
    /// A session is swapped out though a request has it open or a member lacks it.
    SwapOutInUse,
    /// The first answer to a question decides.
    FirstAnswerWins,
    /// An idle session ends without asking anybody.
    ExpiresAlone,
    /// The time of the last use travels as the sender's clock shows it.
    ForeignClock,
    /// A copy of an unknown session goes to the one that is stored next to where it would be.
    NeighbourTaken,
    /// Ends are forgotten once acknowledged, and birth marks are not looked at.
    EndForgottenEarly,
    /// The birth marks of a state transfer are those of its end.
    MarksTooLate,
    /// A joiner compares with nobody but its donor.
    JoinerTrustsDonor,
    /// A process that was stopped judges others by the time it slept.
    OwnPauseUnnoticed,
    /// A listener is announced of every end twice.
    NotifiedTwice,
    /// Of several copies in one frame only the first is taken, and the frame is acknowledged.
    FirstCopyOnly,
    /// A copy leaves out system fields that this version does not know.
    UnknownFieldDropped,
    /// A change of a kind that this version does not know is acknowledged like one that was taken.
    UnknownChangeTaken,
}
