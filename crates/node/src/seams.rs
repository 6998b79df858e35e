//! The parts of a node that the user's own code fills.

use std::io;
use std::sync::Arc;

use sessile_core::{AckSet, AllMembers};
use sessile_group::{Identity, Membership, OpenChannel};
use sessile_store::Store;

use super::planted::Planted;

/// Begins a channel as the process that it is given.
pub type OpenWith = Box<dyn FnOnce(Identity) -> io::Result<OpenChannel> + Send>;

/// Parts that the user's own code fills; the configuration fills the others.
pub struct Seams {
    /// How the others are found.
    pub membership: Option<Box<dyn Membership>>,
    /// What carries frames.
    pub channel: Option<OpenWith>,
    /// Whom a response waits for.
    pub ack_set: Arc<dyn AckSet>,
    /// Where sessions are kept.
    pub store: Option<Arc<dyn Store>>,
    pub(super) planted: Planted,
}

impl Seams {
    /// Plants this into the node.
    #[cfg(feature = "planted")]
    pub fn plant(&mut self, planted: Planted) {
        self.planted = planted;
    }
}

impl Default for Seams {
    fn default() -> Self {
        let ack_set = Arc::new(AllMembers);
        Self { membership: None, channel: None, ack_set, store: None, planted: Planted::default() }
    }
}
