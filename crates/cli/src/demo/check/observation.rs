//! What the clients of the check saw, one JSON line each: everything that the verdict rests on.

use serde::{Deserialize, Serialize};

/// One observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Observation {
    /// Microseconds since the check began.
    pub(super) at_us: u64,
    #[serde(flatten)]
    pub(super) seen: ObservationKind,
}

/// What was seen. Sessions are named by their keys, never by their cookies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub(super) enum ObservationKind {
    /// A write was answered: it must never be lost.
    Acknowledged {
        sid: String,
        name: String,
        v: u64,
        /// Who answered.
        node: String,
        /// Whose session the cookie said it was.
        route: Option<String>,
        /// The session that the client had before.
        before: Option<String>,
    },
    /// A write was sent and not answered with 200: it may or may not have happened.
    Unknown { sid: Option<String>, name: String, v: u64, why: String },
    /// An attribute was read. No `v`: it was not there.
    Read { sid: String, name: String, node: String, v: Option<u64>, len: Option<u64>, fnv: Option<u32> },
    /// A node was killed.
    Killed { node: String },
    /// A node opened its port again.
    Back { node: String },
}
