//! What the state machine wants done, in this order.

use std::time::Duration;

use bytes::Bytes;

use super::Member;
use crate::farm::archived::{Archived, Digest};
use crate::farm::message::{Message, Order};
use crate::farm::stamp::Stamp;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Send a message. It may get lost.
    Send {
        /// To this process.
        to: Member,
        /// Which.
        message: Message,
    },
    /// Read a part of an archive on the shelf and send it.
    SendPiece {
        /// To this process.
        to: Member,
        /// Of this archive.
        digest: Digest,
        /// From this byte on.
        from: u64,
        /// So many, at most.
        bytes: u32,
    },
    /// Write what arrived of an archive.
    Write {
        /// Which archive.
        digest: Digest,
        /// From this byte on.
        from: u64,
        /// What.
        bytes: Bytes,
    },
    /// Everything of an archive was written: check all of it, put it on the shelf, and say so.
    Finish {
        /// Which.
        digest: Digest,
    },
    /// What arrived of an archive is not wanted any more.
    Drop {
        /// Which.
        digest: Digest,
    },
    /// Check, unpack and compile what is on the shelf, and say how it went.
    Prepare {
        /// Where it is to be mounted.
        path: String,
        /// Which deployment.
        stamp: Stamp,
        /// What.
        archive: Archived,
    },
    /// Mount what was prepared, or unmount; keep the catalog on disk before anything that follows is done.
    Activate(Order),
    /// What was prepared is not wanted any more.
    Discard {
        /// Where.
        path: String,
        /// Which deployment.
        stamp: Stamp,
    },
    /// A deployment that was ordered here is over.
    Settled {
        /// The number that it was ordered with.
        number: u64,
        /// How.
        outcome: Outcome,
    },
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It runs, on these nodes.
    Done {
        /// Each with what came of it there, this node first.
        nodes: Vec<(String, NodeResult)>,
        /// How long that took.
        took: Took,
    },
    /// A node cannot run it; everywhere the old version goes on.
    Refused {
        /// The node.
        by: String,
        /// Why.
        reason: String,
    },
    /// Nodes did not prepare it in time; everywhere the old version goes on.
    TimedOut {
        /// Which nodes.
        waiting: Vec<String>,
    },
    /// Another deployment at that path is under way.
    Busy,
}

/// How long the parts of a deployment took, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Took {
    /// Until its coordinator had prepared it.
    pub(crate) prepared: Duration,
    /// Until all others had got and prepared it.
    pub(crate) carried: Duration,
    /// Until all had switched.
    pub(crate) switched: Duration,
}

/// What came of a deployment on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeResult {
    /// It runs there, or something later does.
    Active,
    /// The node left the cluster meanwhile.
    Left,
    /// The node takes no part in the farm.
    NoFarm,
    /// The node prepared it and has not confirmed that it switched.
    Unconfirmed,
}

impl Effect {
    pub(super) fn send(to: &Member, message: Message) -> Self {
        Self::Send { to: to.clone(), message }
    }
}
