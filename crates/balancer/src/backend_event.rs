//! What listeners hear when the state of a node changes.

use serde::Serialize;

use crate::backend::BackendState;

/// A change of a node's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackendEvent {
    /// The node's name.
    pub node: String,
    /// Its HTTP address.
    pub address: String,
    /// Its state from now on.
    pub state: BackendState,
    /// What showed it, in words.
    pub reason: String,
}
