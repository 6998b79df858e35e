//! The balancer: one address in front of several nodes.
//!
//! In HTTP a request goes to the node that its cookie names (`sid=ID.tc01`), or in turn to the next one; a
//! node that is down, or says that it is not ready, gets nothing new; a request is retried on another node
//! only where that cannot process it twice. While no node is ready, a request that none has processed waits
//! up to 3 s for one, so that a failover shows as a delay and not as an error. Bodies stream both ways,
//! websockets are tunnelled.
//!
//! In TCP, for any other protocol, a connection goes to the node that its client's address was on last, or in
//! turn to the next one, and bytes pass both ways.
//!
//! In UDP the datagrams of a client's address go to one node, and its answers back.
//!
//! Nodes can be added, taken out, drained and weighted while it runs.
//!
//! What this crate must not know: sessions, membership, the cluster's secret. It reads the text after the
//! last dot of one cookie, and asks each node's health path over plain HTTP, as any other balancer could.
//!
//! Where to go next: [`Balancer`] binds and runs; `client_connection` is one connection. For HTTP
//! `http_proxy` carries one request and `dispatch` takes it from node to node; for TCP `tcp_proxy` does both.
//! The decisions are the pure modules `choice` (which node), `route` (what the cookie names), `stick_table`
//! (where an address was) and `retry` (may it be sent again); `health` asks the nodes, `backend_pool` holds
//! what is known of them. [`BackendMonitor`] and [`BackendControl`] are what operators see and change,
//! [`BalancerAdmin`] both over HTTP.

mod access_log;
mod activity;
mod admin;
mod backend;
mod backend_connection;
mod backend_event;
mod backend_pool;
mod backend_stream;
mod balancer;
mod body;
mod choice;
mod client_connection;
mod client_stream;
mod config;
mod control;
mod dial;
mod dispatch;
mod error_response;
mod exchange;
mod headers;
mod health;
mod http_proxy;
mod idle_connections;
mod outlier;
mod relay;
mod retry;
mod retry_budget;
mod route;
mod settings;
mod slow_start;
mod sockets;
mod statistics;
mod status;
mod stick_table;
mod tcp_proxy;
mod traffic_dump;
mod tunnel;
mod udp_proxy;
mod waiting_room;
mod worker;

pub use access_log::AccessLogFormat;
pub use admin::{BalancerAdmin, LogLinesLost, Reload};
pub use backend::BackendState;
pub use backend_event::BackendEvent;
pub use balancer::{Balancer, BindError, Stopped};
pub use choice::Algorithm;
pub use config::{
    AccessLogConfig, BackendConfig, BalanceConfig, BalancerConfig, BalancerConfigError, OutlierConfig,
    Protocol, QueueConfig,
};
pub use control::{BackendChanges, BackendControl, ControlError, ReloadError, Reloaded};
pub use error_response::ErrorPageError;
pub use sessile_http_server::tls::BackendTls;
pub use settings::SettingsError;
pub use statistics::BalancerStatus;
pub use status::{BackendMonitor, BackendStatus};
