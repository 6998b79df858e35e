//! Replicated HTTP sessions in memory: sessions that stay when servers go.
//!
//! Every node of a [`Cluster`] holds a copy of every session. When a node is killed, stopped or upgraded, the next
//! request of its users is answered by another one, with everything that the session had. There is no database
//! behind it, and no other service to run.
//!
//! ```no_run
//! use axum::{Router, routing::post};
//! use sessile::{Cluster, Config, Session, SessionError};
//!
//! async fn add(session: Session, item: String) -> Result<String, SessionError> {
//!     let mut cart: Vec<String> = session.get("cart")?.unwrap_or_default();
//!     cart.push(item);
//!     session.set("cart", &cart)?;
//!     Ok(format!("{} things\n", cart.len()))
//! }
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::join(Config::load("tc01.toml")?).await?; // returns once the sessions of the others are here
//! let app = Router::new().route("/cart", post(add)).layer(cluster.session_layer());
//! let listener = tokio::net::TcpListener::bind(cluster.config().http.listen).await?;
//! axum::serve(listener, app).with_graceful_shutdown(stop_signal()).await?;
//! cluster.drain(cluster.config().node.drain_time).await?; // every member has everything
//! cluster.leave().await;
//! # Ok(())
//! # }
//! # async fn stop_signal() {}
//! ```
//!
//! A handler uses its [`Session`] in memory: nothing waits, nothing is I/O. When it has returned, what it wrote is
//! committed and sent to every member, and the response goes when they have it; a [`Receipt`] says how many that
//! are. What is promised, and what is not, stands in `docs/consistency.md` of the repository.
//!
//! Next: [`Cluster`] for the node, [`Session`] for its applications, [`config`] for everything that can be set,
//! [`seams`] for the parts that your own code can replace.

mod admin;
mod admin_token;
mod cluster;
pub mod seams;
pub mod testing;

pub use sessile_config as config;
pub use sessile_node::store;
pub use sessile_web::json_store;

pub use admin::{AdminPort, StopOutcome, StopRequests, health};
pub use admin_token::{admin_nonce, admin_token, admin_tokens, caller_proof, node_proof};
pub use cluster::{AppView, Cluster, ClusterBuilder};
pub use sessile_config::{Config, ConfigError, SettingError};
pub use sessile_core::{
    AppId, Codec, EndReason, Event, Fields, Histogram, Incarnation, NodeState, NotTaken, Receipt, Removal,
    SessionChange, SessionKey, StoredSession, Value,
};
pub use sessile_group::{ClusterSecrets, SecretError};
#[cfg(feature = "planted")]
pub use sessile_node::Planted;
pub use sessile_node::host::NotServing;
pub use sessile_node::messages::{Message, MessageError, Messages, NoMessage, To};
pub use sessile_node::{
    ClusterNode, DoctorFinding, DoctorReport, DrainIncomplete, Gauge, JoinError, Listening, MemberBacklog,
    MemberView, Notification, PartReport, Resync, ResyncError, Scope, SessionView, StoreView, TransferView,
    examine,
};
pub use sessile_web::{
    AttributeMut, Cost, Costs, DetachedSession, DetachedSessions, IdempotencyLayer, Idempotent,
    NoSessionLayer, Session, SessionError, SessionLayer, SessionService, Sessions, Statistics, WriteTimes,
    idempotency_key,
};
