//! Replicated HTTP sessions in memory: sessions that stay when servers go.
//!
//! Every node of a [`Cluster`] holds a copy of every session. When a node is killed, stopped or upgraded, the
//! next request of its users is answered by another one, with everything that the session had. There is no
//! database behind it, and no other service to run.
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
//! A handler uses its [`Session`] in memory: nothing waits, nothing is I/O. When it has returned, what it
//! wrote is committed and sent to every member, and the response goes when they have it; a [`Receipt`] says
//! how many that are. What is promised, and what is not, stands in `docs/consistency.md` of the repository.
//!
//! Next: [`Cluster`] for the node, [`Session`] for its applications, [`config`] for everything that can be
//! set, [`testing`] for tests of services, [`seams`] for the parts that your own code can replace. The root
//! has what every service needs; the modules have the rest, by subject.

pub mod admin;
mod cluster;
pub mod seams;
pub mod testing;

pub use cluster::{Cluster, ClusterBuilder};
pub use sessile_config::{self as config, Config, ConfigError};
pub use sessile_core::{NodeState, Receipt, SessionKey};
pub use sessile_group::{ClusterSecrets, SecretError};
#[cfg(feature = "planted")]
pub use sessile_node::Planted;
pub use sessile_node::host::NotServing;
pub use sessile_node::{ClusterNode, JoinError, messages, store};
pub use sessile_web::{
    AttributeMut, DetachedSession, DetachedSessions, IdempotencyLayer, Idempotent, NoSessionLayer, Session,
    SessionError, SessionLayer, SessionService, Sessions, idempotency_key, json_store,
};

/// What happens to sessions and members, and how to listen to it.
pub mod events {
    pub use sessile_core::{EndReason, Event, NotTaken, Removal, SessionChange};
    pub use sessile_node::{Listening, Notification, Scope};
}

/// What can be seen of a node: members, sessions, stores, statistics, and what keeps it from stopping.
pub mod status {
    pub use crate::cluster::AppView;
    pub use sessile_core::Histogram;
    pub use sessile_node::{
        DoctorFinding, DoctorReport, DrainIncomplete, Gauge, MemberBacklog, MemberView, PartReport, Resync,
        ResyncError, SessionView, StoreView, TransferView, examine,
    };
    pub use sessile_web::{Cost, Costs, Statistics, WriteTimes};
}

/// The content of a session as the cluster and its stores hold it.
pub mod content {
    pub use sessile_core::{Codec, Fields, StoredSession, Value};
}

/// Trying what may be wrong between nodes, from here: the library behind `sessile doctor`.
pub mod doctor {
    pub use sessile_node::{DoctorFinding, DoctorReport, examine};
}
