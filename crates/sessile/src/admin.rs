//! The admin port's answers, for operators and their tools: is the node alive, is it ready, who is here, what is
//! held, what is counted.
//!
//! | path | answer | token |
//! |---|---|---|
//! | `/healthz` | 200 while the process answers | no |
//! | `/readyz` | 200 while the node may serve, else 503 | no |
//! | `/metrics` | the text format of Prometheus, names begin with `sessile_` | no |
//! | `/members` | `[{name, boot, address, state, age_ms, unconfirmed_bytes, unconfirmed_ms, self}]` | yes |
//! | `/sessions?after=KEY&limit=N` | `[{key, app, attributes, bytes, idle_ms, copies}]` | yes |
//!
//! `/sessions` is told in pages of 100, at most 1000 by `limit`; while there may be more, the header
//! `Link: </sessions?after=KEY&limit=N>; rel="next"` leads on. Errors are `{"error": "…"}`. Nothing here changes
//! anything: what will, will want POST. Opens no port itself; knows neither secrets of sessions nor values.
//!
//! Next: `admin/guard.rs` for who is answered, `admin/pages.rs` for the answers, `admin/health.rs` for readiness.

mod guard;
mod health;
mod pages;
mod refusal;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

pub use health::health;
use refusal::Refusal;

use crate::Cluster;

/// What the admin port answers from: at first that the node is not ready, and everything once it is given the
/// [`Cluster`]. Clones are the same port.
#[derive(Clone)]
pub struct AdminPort {
    shared: Arc<Shared>,
}

struct Shared {
    token: String,
    listen: SocketAddr,
    cluster: OnceLock<Cluster>,
}

impl AdminPort {
    /// The port at `listen` of a node that has not started yet. `token` is what [`admin_token`](crate::admin_token)
    /// made.
    #[must_use]
    pub fn new(token: String, listen: SocketAddr) -> Self {
        Self { shared: Arc::new(Shared { token, listen, cluster: OnceLock::new() }) }
    }

    /// From now on answers are this cluster's, ready or not. A second call changes nothing.
    pub fn follow(&self, cluster: Cluster) {
        // A process has one cluster: the first one stays.
        let _ = self.shared.cluster.set(cluster);
    }

    /// The service to be run at the port.
    pub fn router(&self) -> Router {
        let confidential = Router::new()
            .route("/members", get(pages::members))
            .route("/sessions", get(pages::sessions))
            .route_layer(from_fn_with_state(self.clone(), guard::token));
        let guarded = Router::new()
            .route("/metrics", get(pages::metrics))
            .merge(confidential)
            .layer(from_fn_with_state(self.clone(), guard::host));
        Router::new()
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .merge(guarded)
            .fallback(async || Refusal::NoSuchPage)
            .method_not_allowed_fallback(async || Refusal::OnlyGet)
            .with_state(self.clone())
    }

    fn cluster(&self) -> Result<&Cluster, Refusal> {
        self.shared.cluster.get().ok_or(Refusal::NotJoined)
    }
}

#[cfg(test)]
mod tests;
