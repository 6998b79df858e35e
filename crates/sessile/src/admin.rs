//! The admin port's answers, for operators and their tools: is the node alive, is it ready, who is here, what is
//! held, what is counted.
//!
//! | path | answer | token |
//! |---|---|---|
//! | `/healthz` | 200 while the process answers | no |
//! | `/readyz` | 200 while the node may serve, else 503 | no |
//! | `/metrics` | the text format of Prometheus, or OpenMetrics where it is preferred | no |
//! | `/members` | `[{name, incarnation, boot, address, state, age_ms, unconfirmed_bytes, unconfirmed_ms, self}]` | yes |
//! | `/sessions?after=KEY&limit=N` | `[{key, app, attributes, bytes, idle_ms, copies}]` | yes |
//! | `/status` | members, standing, sessions, queue, last transfer, warnings in one object | yes |
//! | `/top` | the heaviest attributes and routes of each application | yes |
//! | `/events?sessions=BOOL` | what happens from now on, as server-sent events; `events.rs` has the names | yes |
//! | POST `/stop` | drains and leaves; answers with the outcome: `{drained, left}` | yes |
//! | POST `/drain`, `/resume` | not offered to balancers; offered again | yes |
//! | POST `/route?rewrite=BOOL` | switches the rewriting of the route in the cookie | yes |
//! | POST `/resync` | compares all sessions with every member: `{members, sessions, repaired}` | yes |
//! | POST `/secrets/reload` | reads the secret file again: `{secrets}`, their public ids | yes |
//!
//! `/sessions` is told in pages of 100, at most 1000 by `limit`; while there may be more, the header
//! `Link: </sessions?after=KEY&limit=N>; rel="next"` leads on. Errors are `{"error": "…"}`. Only POST
//! changes anything. Opens no port itself; knows neither secrets of sessions nor values.
//!
//! Next: `admin/guard.rs` for who is answered, `admin/pages.rs` and `admin/status.rs` for what is told,
//! `admin/actions.rs` for what is changed, `admin/stopping.rs` for the way to a stop, `admin/health.rs` for readiness.

mod actions;
mod error;
mod events;
mod guard;
mod health;
mod pages;
mod status;
mod stopping;
mod token;
mod top;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use error::AdminPageError;
pub use health::health;
use parking_lot::RwLock;
use stopping::Stopping;
pub use stopping::{StopOutcome, StopRequests};
pub use token::{admin_token, admin_tokens};
use tokio::sync::Semaphore;

use crate::Cluster;

/// What the admin port answers from: at first that the node is not ready, and everything once it is given the
/// [`Cluster`]. Clones are the same port.
#[derive(Clone)]
pub struct AdminPort {
    shared: Arc<Shared>,
}

struct Shared {
    /// Those that are believed.
    tokens: RwLock<Vec<String>>,
    listen: SocketAddr,
    cluster: OnceLock<Cluster>,
    stopping: Stopping,
    /// Places for readers of `/events`.
    readers: Arc<Semaphore>,
}

impl AdminPort {
    /// The port at `listen` of a node that has not started yet. `tokens` are what
    /// [`admin_tokens`] made.
    #[must_use]
    pub fn new(tokens: Vec<String>, listen: SocketAddr) -> Self {
        let (tokens, stopping) = (RwLock::new(tokens), Stopping::default());
        let (cluster, readers) = (OnceLock::new(), Arc::new(Semaphore::new(events::READERS_MAX)));
        Self { shared: Arc::new(Shared { tokens, listen, cluster, stopping, readers }) }
    }

    /// From now on these tokens are believed and no others.
    pub fn believe(&self, tokens: Vec<String>) {
        *self.shared.tokens.write() = tokens;
    }

    /// Whoever asks the node to stop at this port is heard here. Until this was called the port says that it cannot be
    /// stopped.
    #[must_use]
    pub fn stop_requests(&self) -> StopRequests {
        self.shared.stopping.requests()
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
            .route("/status", get(status::status))
            .route("/top", get(top::top))
            .route("/events", get(events::events))
            .route("/stop", post(stopping::stop))
            .route("/drain", post(actions::drain))
            .route("/resume", post(actions::resume))
            .route("/route", post(actions::route))
            .route("/resync", post(actions::resync))
            .route("/secrets/reload", post(actions::reload_secrets))
            .route_layer(from_fn_with_state(self.clone(), guard::token));
        let guarded = Router::new()
            .route("/metrics", get(pages::metrics))
            .merge(confidential)
            .layer(from_fn_with_state(self.clone(), guard::host));
        Router::new()
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .merge(guarded)
            .fallback(async || AdminPageError::NoSuchPage)
            .method_not_allowed_fallback(async || AdminPageError::WrongMethod)
            .with_state(self.clone())
    }

    /// Further pages of this port, for who has the token: merge them with [`router`](Self::router).
    pub fn guarded(&self, pages: Router) -> Router {
        pages
            .route_layer(from_fn_with_state(self.clone(), guard::token))
            .layer(from_fn_with_state(self.clone(), guard::host))
    }

    fn cluster(&self) -> Result<&Cluster, AdminPageError> {
        self.shared.cluster.get().ok_or(AdminPageError::NotJoined)
    }
}

#[cfg(test)]
mod tests;
