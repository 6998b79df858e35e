//! The ports of the sample: those of the article, or a block of ports that begins where the user says.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

/// Node names of the sample.
pub(crate) const NAMES: [&str; 2] = ["tc01", "tc02"];

/// Ports of a block: one for the balancer, three for each node.
const BLOCK: u16 = 1 + 3 * NAMES.len() as u16;

/// Where a block of ports can begin.
pub(crate) const BASES: RangeInclusive<i64> = 1..=(u16::MAX - BLOCK + 1) as i64;

/// Loopback addresses of a balancer and two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SamplePorts {
    pub(crate) balancer: SocketAddr,
    /// In the order of [`NAMES`].
    pub(crate) nodes: [NodePorts; NAMES.len()],
}

/// Addresses of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodePorts {
    pub(crate) http: SocketAddr,
    pub(crate) receiver: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl SamplePorts {
    /// The block that begins at `base`, which is one of [`BASES`]; without it, the ports of the article.
    pub(crate) fn new(base: Option<u16>) -> Self {
        match base {
            Some(base) => Self {
                balancer: local(base),
                nodes: [
                    NodePorts::of([base + 1, base + 2, base + 3]),
                    NodePorts::of([base + 4, base + 5, base + 6]),
                ],
            },
            None => Self {
                balancer: local(8080),
                nodes: [NodePorts::of([9080, 4001, 9005]), NodePorts::of([10080, 4002, 10005])],
            },
        }
    }
}

impl NodePorts {
    fn of([http, receiver, admin]: [u16; 3]) -> Self {
        Self { http: local(http), receiver: local(receiver), admin: local(admin) }
    }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_block_ends_at_the_last_port() {
        let last = u16::try_from(*BASES.end()).unwrap();
        assert_eq!(SamplePorts::new(Some(last)).nodes[1].admin.port(), u16::MAX);
    }
}
