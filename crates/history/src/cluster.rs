//! Events of the cluster, as far as the writer of the history knows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Micros, NodeId, ProcessId, Seen, SessionId};

/// One process from start to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// The process.
    pub process: ProcessId,
    /// Its node.
    pub node: NodeId,
    /// Start of service.
    pub from: Micros,
    /// Its end.
    pub to: Option<Micros>,
    /// When it was stopped, and when it went on.
    pub pauses: Vec<(Micros, Option<Micros>)>,
}

/// A time in which the cluster was, or may have been, divided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Division {
    /// The first cut.
    pub from: Micros,
    /// All cuts are healed and all nodes agree again.
    pub to: Option<Micros>,
    /// The side of each node, if the same clean cut divided them all the time; else nothing is required
    /// meanwhile.
    pub sides: Option<Vec<u8>>,
}

/// An interval without cuts or stopped processes in which all live processes were ready, with the same
/// members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Seen first.
    pub from: Micros,
    /// Seen last.
    pub to: Micros,
    /// The live processes.
    pub processes: Vec<ProcessId>,
}

/// The sessions of a process when the cluster was quiet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// The process.
    pub process: ProcessId,
    /// When.
    pub at: Micros,
    /// The sessions that it had a copy of.
    pub sessions: BTreeMap<SessionId, Seen>,
}

impl Life {
    pub(crate) fn lasts_until(&self, at: Micros) -> bool {
        self.to.is_none_or(|end| end > at)
    }

    pub(crate) fn is_stopped_within(&self, from: Micros, to: Micros) -> bool {
        self.pauses.iter().any(|(begin, end)| *begin <= to && end.is_none_or(|end| end >= from))
    }
}

impl Division {
    pub(crate) fn overlaps(&self, from: Micros, to: Micros) -> bool {
        self.from <= to && self.to.is_none_or(|end| end >= from)
    }

    pub(crate) fn leaves_together(&self, one: NodeId, other: NodeId) -> bool {
        self.sides.as_ref().is_some_and(|sides| sides.get(one) == sides.get(other))
    }
}
