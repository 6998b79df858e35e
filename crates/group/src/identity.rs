//! Who a node is: what it says of itself, and what others learned of it.

use std::net::SocketAddr;

use crate::error::GroupError;

/// Longest node or cluster name in bytes. Names travel before anything else is known of a peer, so they are
/// short.
pub const NAME_LIMIT: usize = 32;

/// Longest [`Identity::notice`] in bytes.
pub const NOTICE_LIMIT: usize = 1400;

/// What this process says of itself to every other one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The node's name: 1 to [`NAME_LIMIT`] of `[A-Za-z0-9_-]`. A restarted node keeps it.
    pub name: String,
    /// 32 random bits drawn at start. A restarted node has another one: it names the process.
    pub incarnation: u32,
    /// The cluster's name, 1 to [`NAME_LIMIT`] printable ASCII characters: only nodes with the same one speak
    /// with each other.
    pub cluster: String,
    /// Where other nodes reach this one. An unspecified IP address (`0.0.0.0`) stands for "the one you see me
    /// by".
    pub advertise: SocketAddr,
    /// Bitmap of what this build can do. Carried, and but for
    /// [`ORDERS_CONNECTIONS`](Self::ORDERS_CONNECTIONS) never judged here.
    pub features: u64,
    /// What its owner wants the owners of the others to know; carried, never judged here. At most
    /// [`NOTICE_LIMIT`] bytes.
    pub notice: String,
}

impl Identity {
    /// The bit in `features` of an owner that puts frames which came over several connections into their
    /// order. To a process without it no further connection is opened.
    pub const ORDERS_CONNECTIONS: u64 = 1;

    /// Checks the names.
    ///
    /// # Errors
    /// [`GroupError::Name`] names the one that cannot travel.
    pub(crate) fn check(&self) -> Result<(), GroupError> {
        if !is_node_name(&self.name) {
            return Err(GroupError::Name { what: "node", name: self.name.clone() });
        }
        if !is_cluster_name(&self.cluster) {
            return Err(GroupError::Name { what: "cluster", name: self.cluster.clone() });
        }
        if self.notice.len() > NOTICE_LIMIT {
            return Err(GroupError::Notice { length: self.notice.len() });
        }
        Ok(())
    }
}

/// Another process of the cluster, as its HELLO named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The node's name. Two processes may carry the same one: which of them stays is not decided here.
    pub name: String,
    /// Which process it is.
    pub incarnation: u32,
    /// The address that it advertises.
    pub address: SocketAddr,
    /// Bitmap of what its build can do.
    pub features: u64,
    /// What its owner wants this one to know; empty from a build that tells nothing.
    pub notice: String,
}

/// Whether `name` may be a node's name.
pub(crate) fn is_node_name(name: &str) -> bool {
    (1..=NAME_LIMIT).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Whether `name` may be a cluster's name.
pub(crate) fn is_cluster_name(name: &str) -> bool {
    (1..=NAME_LIMIT).contains(&name.len()) && name.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// `advertised`, with the address that a connection or datagram came from where it names none.
pub(crate) fn reachable(mut advertised: SocketAddr, seen_from: SocketAddr) -> SocketAddr {
    if advertised.ip().is_unspecified() {
        advertised.set_ip(seen_from.ip());
    }
    advertised
}
