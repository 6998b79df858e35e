//! The balancer: one address in front of several nodes.
//!
//! In HTTP a request goes to the node that its cookie names (`sid=ID.tc01`), or in turn to the next one; a node
//! that is down, or says that it is not ready, gets nothing new; a request is repeated on another node only
//! where that cannot process it twice. While no node is ready, a request that none has processed waits up to 3 s
//! for one, so that a failover shows as a delay and not as an error. Bodies stream both ways, websockets are
//! tunnelled.
//!
//! In TCP, for any other protocol, a connection goes to the node that its client's address was on last, or in
//! turn to the next one, and bytes pass both ways.
//!
//! Nodes can be added, taken out, drained and weighted while it runs.
//!
//! What this crate must not know: sessions, membership, the cluster's secret. It reads the text after the
//! last dot of one cookie, and asks each node's health path over plain HTTP, as any other balancer could.
//!
//! Where to go next: [`Balancer`] binds and runs; `client` is one connection. For HTTP `proxy` carries one
//! request and `passage` takes it from node to node; for TCP `forwarder` does both. The decisions are the pure
//! modules `choice` (which node), `route` (what the cookie names), `remembered` (where an address was) and
//! `repeat` (may it be sent again); `health` asks the nodes, `fleet` holds what is known of them. [`Monitor`]
//! and [`Roster`] are what operators see and change, [`AdminPort`] both over HTTP.

mod admin;
mod balancer;
mod body;
mod choice;
mod client;
mod client_stream;
mod config;
mod connection;
mod dial;
mod dump;
mod duration;
mod fleet;
mod forwarder;
mod headers;
mod health;
mod monitor;
mod node;
mod passage;
mod pool;
mod proxy;
mod pulse;
mod refusal;
mod relay;
mod remembered;
mod repeat;
mod roster;
mod route;
mod sockets;
mod tunnel;
mod watched;

pub use admin::AdminPort;
pub use balancer::{Balancer, BindError, Stopped};
pub use config::{BalanceConfig, BalancerConfig, ConfigError, NodeConfig, Protocol};
pub use monitor::{Monitor, NodeEvent, NodeStatus};
pub use node::NodeState;
pub use roster::{Followed, Roster, RosterError};
