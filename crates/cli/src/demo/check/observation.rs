//! Observations of the check's clients, one JSON line each: the only input of the verdict.

use serde::{Deserialize, Serialize};

/// One observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Observation {
    /// Microseconds since the check began.
    pub(super) at_us: u64,
    #[serde(flatten)]
    pub(super) seen: ObservationKind,
}

/// Kinds of observations. Sessions are named by their keys, never by their cookies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub(super) enum ObservationKind {
    /// A write was acknowledged: it must never be lost.
    Acknowledged {
        sid: String,
        name: String,
        v: u64,
        /// The answering node.
        node: String,
        /// The node in the cookie's route.
        route: Option<String>,
        /// The session that the client had before.
        before: Option<String>,
    },
    /// A write without a 200 response: its outcome is unknown.
    Unknown { sid: Option<String>, name: String, v: u64, why: String },
    /// An attribute was read. Without `v` it was absent.
    Read { sid: String, name: String, node: String, v: Option<u64>, len: Option<u64>, fnv: Option<u32> },
    /// A node was killed.
    Killed { node: String },
    /// A restarted node opened its port.
    Back { node: String },
}
