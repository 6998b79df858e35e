//! The tables of the configuration file, one a module: the fields, their defaults, and the keys that set
//! them.

mod ajp;
mod app;
mod cluster;
mod farm;
mod grants;
mod http;
mod membership;
mod node;
mod replication;
mod session;
mod store;
mod transport;

/// Milliseconds in a second.
const SECOND: u64 = 1_000;
/// Milliseconds in an hour.
const HOUR: u64 = 3_600 * SECOND;
/// Milliseconds in a day.
const DAY: u64 = 24 * HOUR;

pub use ajp::Ajp;
pub use app::{App, Builtin};
pub use cluster::{Cluster, Manager};
pub use farm::Farm;
pub use grants::Grants;
pub use http::Http;
pub use membership::{Membership, MembershipKind};
pub use node::{Admin, Node};
pub use replication::Replication;
pub use session::{Keep, OnEnded, SameSite, Save, Secure, Session};
pub use store::{Restore, Store, StoreKind};
pub use transport::{Mode, QueueFull, Receiver, Sender};
