//! The order of deployments at one path, equal on every node: a Lamport timestamp (Lamport 1978).

use serde::{Deserialize, Serialize};

/// The counter is one more than every counter known to its node at that path. For concurrent deployments the
/// incarnation decides. No wall clock is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct DeployTimestamp {
    /// Counts the deployments at a path.
    pub(crate) counter: u64,
    /// Incarnation of the process that created it.
    pub(crate) incarnation: u32,
}
