//! The event of a node's change of state.

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
    /// The observation behind the change, in words.
    pub reason: String,
}
