//! Everything that can happen in a run.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use sessile_core::{Incarnation, QuestionId, Receipt, SessionKey, Ticket};

use crate::history::{HostId, OpId};
use crate::plan::Fault;

/// Number of a client's attempt at an operation, so that a late reply to an earlier attempt is recognised.
pub(crate) type Attempt = u32;

/// One event of the queue.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Something that happens to one process; it waits while the process is stopped.
    Inside(Incarnation, Inside),
    /// Something in the network, with the clients or with the machines.
    Outside(Outside),
}

/// What happens inside a process.
#[derive(Clone, Debug)]
pub(crate) enum Inside {
    /// The node's periodic tick.
    Tick,
    /// The driver dials every host without a link.
    Dial,
    /// A dialled link is up: the other side said HELLO.
    Connected(Incarnation),
    /// The outbound link to that process broke.
    LinkLost(Incarnation),
    /// A host that answered before refuses the connection: proof that this process is gone.
    Refused(Incarnation),
    /// A frame arrived.
    Frame(Frame),
    /// A batch of frames from that process is processed: acknowledge it.
    AckBatch(Incarnation),
    /// The initial search is over.
    Searched,
    /// A client's request arrived.
    Arrive(OpId, Attempt),
    /// A request's handler has run.
    Handled(OpId),
    /// A task learns that its commit is settled, and how many copies its receipt may want.
    Settled(Ticket, Receipt, RangeInclusive<u32>),
    /// A task learns that every member answered its question.
    Answered(QuestionId),
    /// A session's content was read from the swap file.
    Fetched(SessionKey),
    /// Waiting requests check the gate again.
    GateMoved,
    /// The process checks whether its drain is complete; it will stay down for that long.
    DrainCheck(Duration),
    /// The process has left and ends, for that long.
    Exit(Duration),
}

/// What happens outside of all processes.
#[derive(Clone, Debug)]
pub(crate) enum Outside {
    /// A client decides what to do next.
    Think(usize),
    /// A client sends an operation, perhaps again, to a host of its choice.
    Submit(OpId),
    /// A client has its answer.
    Reply(OpId, Attempt, Reply),
    /// A client gives up waiting.
    GiveUp(OpId),
    /// A planned fault happens.
    Fault(Fault),
    /// One step of a fault that was begun.
    Step(Step),
    /// The observer checks whether all nodes agree.
    Observe,
}

/// A later step of a fault.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The host's process starts again.
    Return(HostId),
    /// Another process starts under the name of this host's.
    Twin(HostId),
    /// The host's process is stopped for a while.
    Pause(HostId, Duration),
    /// The stopped process goes on.
    Resume(Incarnation),
    /// The process is killed.
    Kill(Incarnation),
    /// That cut heals.
    Heal(u32),
    /// Changes from the first host reach the second again.
    Unchoke(HostId, HostId),
    /// The queue from the first to the second has room again.
    Drain(HostId, HostId),
    /// A link between the two breaks.
    Flap(HostId, HostId),
    /// The other hosts are restarted one after another, then the separated one comes back.
    Roll(Outage),
}

/// A rolling restart of all hosts but one, which is stopped or cut off meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    /// Hosts still to be restarted, the current one last.
    pub(crate) left: Vec<HostId>,
    /// The current host is down or returning.
    pub(crate) waiting: bool,
    /// Remaining polls of the current host before the next host's turn.
    pub(crate) patience: u32,
    /// How the separated one comes back.
    pub(crate) end: Box<Step>,
}

/// A frame on its way.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The process that sent it.
    pub(crate) from: Incarnation,
    /// The process that it is for.
    pub(crate) to: Incarnation,
    /// Which link of the two carried it.
    pub(crate) link: u64,
    /// The frame.
    pub(crate) bytes: Bytes,
}

/// A reply to a client.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// The request was processed.
    Done,
    /// There is no such session.
    Absent(sessile_core::Absent),
    /// The session ended while the request ran: its changes are dropped.
    Ended,
    /// The node refused the change.
    Refused,
    /// The node did not process the request; another node may.
    Unprocessed,
    /// The node processed the request with an unknown outcome, or the connection broke.
    Unconfirmed,
}

impl Event {
    /// The number of the event's kind, for the trace.
    pub(crate) fn kind(&self) -> u64 {
        match self {
            Self::Inside(_, inside) => match inside {
                Inside::Tick => 1,
                Inside::Dial => 2,
                Inside::Connected(_) => 3,
                Inside::LinkLost(_) => 4,
                Inside::Refused(_) => 5,
                Inside::Frame(_) => 6,
                Inside::AckBatch(_) => 7,
                Inside::Searched => 8,
                Inside::Arrive(..) => 9,
                Inside::Handled(_) => 10,
                Inside::Settled(..) => 11,
                Inside::Answered(_) => 12,
                Inside::Fetched(_) => 17,
                Inside::GateMoved => 13,
                Inside::DrainCheck(_) => 14,
                Inside::Exit(_) => 15,
            },
            Self::Outside(outside) => match outside {
                Outside::Think(_) => 20,
                Outside::Submit(_) => 21,
                Outside::Reply(..) => 22,
                Outside::GiveUp(_) => 23,
                Outside::Fault(_) => 24,
                Outside::Step(_) => 25,
                Outside::Observe => 26,
            },
        }
    }
}

/// How long a client waits for an answer before it gives up.
pub(crate) const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
