//! Sessile's group communication: who is here, and carrying bytes to them.
//!
//! ```text
//!  Membership ── addresses ──► dialer ── dials ──► link ── frames ──► other nodes
//!  (multicast, list, DNS, SWIM)   │                  ▲ outbox ◄── Group::send
//!                                ▼
//!        owner ◄── events ── Up, Down, Gone, Searched
//!          └──────── frames ◄── Inbound ◄── accept ◄── other nodes
//! ```
//!
//! Every node dials every other one: A's link to B carries all that A sends to B, B's own link to A all that
//! B sends to A. Connections are mutually authenticated and encrypted with keys derived from the cluster's
//! secret. The crate tells when a link comes up or is lost, and whether the process behind it is proven gone.
//! It is *not* a failure detector: a process that is stopped but not dead keeps its links, and only its
//! owner's own heartbeats, which are ordinary frames here, can tell.
//!
//! It must not know what a frame means, what a session is, or which members its owner counts in. It reads no
//! wall clock. Everything in it is bounded: queues in bytes, tables in entries, waits in time.
//!
//! Where to go next: [`Group`] is the handle; `dialer` decides whom to dial and what it proves; `handshake`
//! is how two nodes meet; `link` and `inbound` carry frames. [`Membership`] is the seam for finding
//! addresses, [`Channel`] the one for carrying frames, which [`Group`] and [`InProcess`] fill;
//! [`conformance`] tests what fills them.

mod accept;
mod channel;
mod config;
pub mod conformance;
mod connection;
mod contact;
mod counters;
mod dialer;
mod error;
mod event;
mod frame;
mod group;
mod group_state;
mod handshake;
mod handshake_refusal;
mod hello;
mod identity;
mod in_process;
mod inbound;
mod link;
mod membership;
mod outbox;
mod probe;
mod route;
mod search;
mod secret;
mod secret_file;
mod strangers;
mod tls;
mod warning_limit;
mod wire;

pub use channel::{Channel, Incoming, NextBatch, OpenChannel, Stopping};
pub use config::{ChannelOptions, GroupConfig, listen};
pub use connection::CONNECTIONS_MAX;
pub use counters::{Datagrams, PeerTally, Tally, Traffic};
pub use error::{GroupError, ReceiveError, SendError};
pub use event::Event;
pub use frame::FRAME_LIMIT;
pub use group::Group;
pub use handshake_refusal::HandshakeRefusal;
pub use identity::{Identity, NAME_LIMIT, NOTICE_LIMIT, Peer};
pub use in_process::InProcess;
#[cfg(feature = "dns")]
pub use membership::{Dns, DnsConfig, DnsError};
pub use membership::{
    Heard, Local, Membership, Multicast, MulticastConfig, NextSighting, Sighting, Static, StaticError,
};
#[cfg(feature = "swim")]
pub use membership::{Swim, SwimConfig};
pub use outbox::Depth;
pub use probe::{Probe, probe, sightings};
pub use secret::{ClusterSecrets, SECRET_BYTES, SecretError};
pub use tls::link_ciphers;
