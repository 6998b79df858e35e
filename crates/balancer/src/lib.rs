//! The balancer: one address in front of several nodes.
//!
//! A request goes to the node that its cookie names (`sid=ID.tc01`), or in turn to the next one; a node that
//! is down, or says that it is not ready, gets nothing new; a request is repeated on another node only where
//! that cannot process it twice. While no node is ready, a request that none has processed waits up to 3 s
//! for one, so that a failover shows as a delay and not as an error. Bodies stream both ways, websockets are
//! tunnelled.
//!
//! What this crate must not know: sessions, membership, the cluster's secret. It reads the text after the
//! last dot of one cookie, and asks each node's health path over plain HTTP, as any other balancer could.
//!
//! Where to go next: [`Balancer`] binds and runs; `proxy` carries one client request, `passage` takes it from
//! node to node; the decisions are the pure modules `choice` (which node), `route` (what the cookie names)
//! and `repeat` (may it be sent again); `health` asks the nodes, `fleet` holds what is known of them.

mod balancer;
mod body;
mod choice;
mod config;
mod connection;
mod duration;
mod fleet;
mod headers;
mod health;
mod monitor;
mod node;
mod passage;
mod pool;
mod proxy;
mod refusal;
mod repeat;
mod route;
mod sockets;
mod tunnel;
mod watched;

pub use balancer::{Balancer, BindError, Stopped};
pub use config::{BalanceConfig, BalancerConfig, ConfigError, NodeConfig};
pub use monitor::{Monitor, NodeEvent, NodeStatus};
pub use node::NodeState;
