//! Which of two deployments at one path is the later one, on every node alike.

use serde::{Deserialize, Serialize};

/// One more than every counter that its maker knew at that path; of two that did not know of each other, the incarnation of
/// their makers decides. No clock is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Counts the deployments at a path.
    pub(crate) counter: u64,
    /// The process that made it.
    pub(crate) incarnation: u32,
}
