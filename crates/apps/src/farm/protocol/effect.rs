//! Effects of the state machine, to be run in order.

use std::time::Duration;

use bytes::Bytes;

use super::FarmMember;
use crate::farm::archive_ref::{ArchiveRef, Digest};
use crate::farm::deploy_timestamp::DeployTimestamp;
use crate::farm::message::{DeployOrder, Message};

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Send a message. It may be lost.
    Send {
        /// To this process.
        to: FarmMember,
        /// Which.
        message: Message,
    },
    /// Read a part of an archive from the store and send it.
    SendPiece {
        /// To this process.
        to: FarmMember,
        /// Of this archive.
        digest: Digest,
        /// From this byte on.
        from: u64,
        /// Most bytes.
        bytes: u32,
    },
    /// Write a piece of an arriving archive.
    Write {
        /// Which archive.
        digest: Digest,
        /// From this byte on.
        from: u64,
        /// What.
        bytes: Bytes,
    },
    /// An archive is complete: check its digest, put it into the store, and report the result.
    Finish {
        /// Which.
        digest: Digest,
    },
    /// Drop the pieces of an unwanted archive.
    Drop {
        /// Which.
        digest: Digest,
    },
    /// Check, unpack and compile an archive of the store, and report the result.
    Prepare {
        /// Where it is to be mounted.
        path: String,
        /// Which deployment.
        timestamp: DeployTimestamp,
        /// What.
        archive: ArchiveRef,
    },
    /// Mount the prepared archive, or unmount; save the catalog before the following effects are run.
    Activate(DeployOrder),
    /// Drop an unwanted preparation.
    Discard {
        /// Where.
        path: String,
        /// Which deployment.
        timestamp: DeployTimestamp,
    },
    /// A deployment ordered at this node is over.
    Settled {
        /// The number that it was ordered with.
        number: u64,
        /// How.
        outcome: DeployOutcome,
    },
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeployOutcome {
    /// The archive runs on these nodes.
    Done {
        /// The result of each node, this node first.
        nodes: Vec<(String, NodeResult)>,
        /// Durations of its phases.
        took: DeployTimes,
    },
    /// A node cannot run the archive; the old version stays everywhere.
    Refused {
        /// The node.
        by: String,
        /// Why.
        reason: String,
    },
    /// Nodes did not prepare the archive in time; the old version stays everywhere.
    TimedOut {
        /// Which nodes.
        waiting: Vec<String>,
    },
    /// Another deployment of that path is under way.
    Busy,
}

/// Durations of the phases of a deployment, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeployTimes {
    /// Preparation by the coordinator.
    pub(crate) prepared: Duration,
    /// Transfer to and preparation by all other members.
    pub(crate) carried: Duration,
    /// Switch of all members.
    pub(crate) switched: Duration,
}

/// The result of a deployment on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeResult {
    /// The node switched: it runs the archive, or removed the application.
    Active,
    /// The node left the cluster meanwhile.
    Left,
    /// The node is not part of the farm.
    NoFarm,
    /// The node prepared the archive but has not confirmed the switch.
    Unconfirmed,
    /// A later deployment of the path runs on the node.
    Superseded,
}

impl Effect {
    pub(super) fn send(to: &FarmMember, message: Message) -> Self {
        Self::Send { to: to.clone(), message }
    }
}
