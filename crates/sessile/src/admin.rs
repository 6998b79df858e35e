//! The admin port's answers, for operators and their tools: is the node alive, is it ready, who is here, what
//! is held, what is counted.
//!
//! | path | answer | token |
//! |---|---|---|
//! | `/healthz` | 200 while the process answers | no |
//! | `/readyz` | 200 while the node may serve, else 503 | no |
//! | `/metrics` | the text format of Prometheus, or OpenMetrics where it is preferred | no |
//! | `/challenge?nonce=NONCE` | `{nonce, proofs}`: the node proves itself, see `admin/token.rs` | no |
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
//! Next: `admin/guard.rs` and `admin/challenge.rs` for who is answered, `admin/pages.rs` and
//! `admin/status.rs` for what is told, `admin/actions.rs` for what is changed, `admin/stopping.rs` for the
//! way to a stop, `admin/health.rs` for readiness.

mod actions;
mod challenge;
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

use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Extension, Router};

use error::AdminPageError;
pub use health::health;
use parking_lot::RwLock;
use stopping::Stopping;
pub use stopping::{StopOutcome, StopRequests};
pub use token::{admin_nonce, admin_token, admin_tokens, caller_proof, node_proof};
use tokio::sync::Semaphore;

use crate::{Cluster, Config};

/// What the admin port answers from: at first that the node is not ready, and everything once it is given the
/// [`Cluster`]. Clones are the same port.
#[derive(Clone)]
pub struct AdminPort {
    shared: Arc<Shared>,
}

struct Shared {
    /// Those that are believed.
    tokens: RwLock<Vec<String>>,
    nonces: challenge::Nonces,
    refused: guard::RefusedCallers,
    name: String,
    listen: Option<SocketAddr>,
    allowed_hosts: Vec<String>,
    cluster: OnceLock<Cluster>,
    stopping: Stopping,
    /// Places for readers of `/events`.
    readers: Arc<Semaphore>,
}

impl AdminPort {
    /// The port of a node that has not started yet, at `listen` if it is a port. `tokens` are what
    /// [`admin_tokens`] made.
    #[must_use]
    pub fn new(config: &Config, tokens: Vec<String>, listen: Option<SocketAddr>) -> Self {
        let shared = Shared {
            tokens: RwLock::new(tokens),
            nonces: challenge::Nonces::default(),
            refused: guard::RefusedCallers::default(),
            name: config.node.name.clone(),
            listen,
            allowed_hosts: config.admin.allowed_hosts.clone(),
            cluster: OnceLock::new(),
            stopping: Stopping::default(),
            readers: Arc::new(Semaphore::new(events::READERS_MAX)),
        };
        Self { shared: Arc::new(shared) }
    }

    /// `pages` of this port for callers that the way they come has proven to be operators, such as a Unix
    /// socket that knows who is at its other end: they need no token.
    pub fn for_operators(pages: Router) -> Router {
        pages.layer(Extension(guard::ProvenOperator))
    }

    /// From now on these tokens are believed and no others.
    pub fn believe(&self, tokens: Vec<String>) {
        *self.shared.tokens.write() = tokens;
    }

    /// Whoever asks the node to stop at this port is heard here. Until this was called the port says that it
    /// cannot be stopped.
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
            .route("/challenge", get(challenge::challenge))
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
