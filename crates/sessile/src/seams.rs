//! The parts of a cluster that your own code can replace, through
//! [`Cluster::builder`](crate::Cluster::builder): how nodes find each other ([`Membership`]), what carries
//! their frames ([`Channel`]), and whom a response waits for ([`AckSet`]).
//!
//! Each is a trait whose documentation is its contract, with a suite in [`conformance`] that your tests run
//! your own implementation through, and an example in the repository (`own_membership`, `own_channel`,
//! `own_ack_set`). `docs/extending.md` tells the same as a guide.

pub use sessile_core::{
    AckMembers, AckSet, AllMembers, AppId, Candidate, CommittedSession, Incarnation, SessionKey,
};
pub use sessile_group::{
    Channel, ChannelOptions, Datagrams, Depth, Event, FRAME_LIMIT, Group, GroupConfig, GroupError,
    HandshakeRefusal, Heard, Identity, InProcess, Incoming, Local, Membership, Multicast, MulticastConfig,
    NextBatch, NextSighting, OpenChannel, Peer, PeerTally, ReceiveError, SendError, Sighting, Static,
    StaticError, Stopping, Tally, Traffic, listen,
};

#[cfg(feature = "dns")]
pub use sessile_group::{Dns, DnsConfig, DnsError};
#[cfg(feature = "swim")]
pub use sessile_group::{Swim, SwimConfig};

/// Suites that every implementation has to pass; they panic where one does not.
pub mod conformance {
    pub use sessile_core::conformance::ack_set;
    pub use sessile_group::conformance::{channel, membership};
}
