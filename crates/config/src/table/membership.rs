//! `[membership]`: how nodes find each other and when one counts as lost.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{HOUR, SECOND};
use crate::HostPort;
use crate::form::{
    Address, DnsName, Flag, Interface, List, MulticastGroup, Number, OneOf, Optional, Peer, Time,
};
use crate::keys::{Table, Visitor};

/// `[membership]`. The keys of the kind that is not chosen are kept, so that one word switches the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// How nodes find each other.
    pub kind: MembershipKind,
    /// The multicast group, IPv4 or IPv6.
    pub address: IpAddr,
    /// The UDP port of the group.
    pub port: u16,
    /// The address of the interface that sends and receives the group's datagrams; of the family of the
    /// group.
    pub bind: IpAddr,
    /// How many routers a datagram may pass, plus one.
    pub ttl: u8,
    /// The replication addresses of all nodes, this one's included or not.
    pub members: Vec<HostPort>,
    /// The names that a name server is asked for.
    pub names: Vec<String>,
    /// The name server; `None`: those of the system.
    pub resolver: Option<SocketAddr>,
    /// The replication addresses of some nodes, which know of the others.
    pub seeds: Vec<HostPort>,
    /// The time between heartbeats.
    pub frequency: Duration,
    /// A member without an answer for this long is removed; at least four heartbeats.
    pub drop_time: Duration,
    /// Whether a refused connection proves that the process behind it is gone.
    pub trust_refused: bool,
}

/// How nodes find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipKind {
    /// By datagrams to a multicast group.
    Multicast,
    /// By a list of addresses.
    Static,
    /// By names of a name server.
    Dns,
    /// By gossip with some nodes that know of the others.
    Swim,
}

impl Default for Membership {
    fn default() -> Self {
        Self {
            kind: MembershipKind::Multicast,
            address: Ipv4Addr::new(228, 0, 0, 4).into(),
            port: 45564,
            bind: Ipv4Addr::LOCALHOST.into(),
            ttl: 1,
            members: Vec::new(),
            names: Vec::new(),
            resolver: None,
            seeds: Vec::new(),
            frequency: Duration::from_millis(500),
            drop_time: Duration::from_secs(3),
            trust_refused: true,
        }
    }
}

impl Table for Membership {
    const NAME: &'static str = "membership";
    const MEANING: &'static str = "how nodes find each other and when one counts as lost";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        let kind = OneOf {
            built: &[
                ("multicast", MembershipKind::Multicast),
                ("static", MembershipKind::Static),
                ("dns", MembershipKind::Dns),
                ("swim", MembershipKind::Swim),
            ],
            later: &[],
        };
        visitor.key("kind", kind, &mut self.kind, "multicast | static | dns | swim");
        visitor.key("address", MulticastGroup, &mut self.address, "multicast: the group");
        visitor.key(
            "port",
            Number::within(1..=u16::MAX),
            &mut self.port,
            "multicast: the UDP port of the group",
        );
        visitor.key("bind", Interface, &mut self.bind, "multicast: the address of the interface");
        visitor.key("ttl", Number::within(0..=u8::MAX), &mut self.ttl, "multicast: 1 stays in this network");
        visitor.key(
            "members",
            List(Peer),
            &mut self.members,
            "static: all nodes, this one may be among them",
        );
        visitor.key("names", List(DnsName), &mut self.names, "dns: whose addresses are those of the nodes");
        visitor.key(
            "resolver",
            Optional(Address),
            &mut self.resolver,
            "dns: the name server; else the system's",
        );
        visitor.key("seeds", List(Peer), &mut self.seeds, "swim: two or three nodes, which know the others");
        visitor.key("frequency", Time(10..=60 * SECOND), &mut self.frequency, "time between heartbeats");
        visitor.key(
            "drop_time",
            Time(40..=HOUR),
            &mut self.drop_time,
            "without an answer for this long: removed",
        );
        visitor.key(
            "trust_refused",
            Flag,
            &mut self.trust_refused,
            "false where firewalls answer with resets",
        );
    }
}
