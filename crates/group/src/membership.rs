//! Where members may be: the seam behind which multicast, a static list, or a user's own way of finding addresses
//! sits.
//!
//! A membership only ever names addresses. Who is there, whether they live and whether they belong to the cluster is
//! found out by dialing them, so a wrong or hostile sighting costs one attempt and nothing else.

mod static_list;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

pub use static_list::{Static, StaticError};

use crate::identity::Identity;
use crate::node::Node;
use crate::secret::ClusterSecrets;

/// What a membership sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// Something at this address may be a member; repeated while it may. Attempts to dial it are rate limited.
    Address(SocketAddr),
    /// Every address that can be known at start has been named. Said once; the first search then ends when all of
    /// them answered or refused.
    AllNamed,
}

/// The future of one sighting.
pub type NextSighting<'a> = Pin<Box<dyn Future<Output = Sighting> + Send + 'a>>;

/// A way to learn at which addresses members may be.
pub trait Membership: Send {
    /// Called once, before the first [`next`](Self::next), with what this node says of itself.
    ///
    /// # Errors
    /// It cannot work here at all; the group does not start. What may mend itself is no error.
    fn begin(&mut self, local: Local) -> io::Result<()>;

    /// Waits for the next sighting; it is never dropped half-way while the group lives. A way that announces this
    /// node does so in here.
    fn next(&mut self) -> NextSighting<'_>;
}

/// This node, as its membership sees it.
#[derive(Debug)]
pub struct Local {
    node: Arc<Node>,
}

impl Local {
    pub(crate) fn new(node: Arc<Node>, _secrets: Option<&ClusterSecrets>) -> Self {
        Self { node }
    }

    /// Who this node is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.node.identity
    }
}
