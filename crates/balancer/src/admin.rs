//! The balancer's admin port: what the nodes do, for operators and their tools, and changes to the list.
//!
//! | request | does | token |
//! |---|---|---|
//! | `GET /healthz` | 200 while the process answers | no |
//! | `GET /metrics` | the text format of Prometheus, names begin with `sessile_balancer_` | no |
//! | `GET /nodes` | tells `[{name, address, state, weight, active, …}]`, see [`NodeStatus`](crate::NodeStatus) | yes |
//! | `POST /nodes` | takes in `{"name", "address", "weight", "health"}`, the last two may be left out | yes |
//! | `POST /nodes/NAME/remove` | takes the node out | yes |
//! | `POST /nodes/NAME/weight` | `{"weight": N}` is its share of new clients | yes |
//! | `POST /nodes/NAME/drain`, `…/resume` | lets it run empty; gives it requests again | yes |
//!
//! Changes answer 204 and last until the balancer ends. Errors are `{"error": "…"}`. Opens no port itself.
//!
//! Next: `admin/guard.rs` for who is answered, `admin/metrics.rs` for the exposition.

mod guard;
mod metrics;
mod refusal;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;

use crate::config::NodeConfig;
use crate::monitor::{Monitor, NodeStatus};
use crate::roster::{Roster, RosterError};
use refusal::{Asked, Refusal};

/// Most bytes of a request's body.
const BODY_BOUND: usize = 16 * 1024;

/// What the admin port answers from. Clones are the same port.
#[derive(Debug, Clone)]
pub struct AdminPort(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    token: String,
    listen: SocketAddr,
    monitor: Monitor,
    roster: Roster,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Weight {
    weight: u32,
}

type Changed = Result<StatusCode, Refusal>;

impl AdminPort {
    /// The port at `listen` of a balancer. Whoever knows `token` may change its nodes: it must not be empty
    /// or guessable.
    #[must_use]
    pub fn new(token: String, listen: SocketAddr, monitor: Monitor, roster: Roster) -> Self {
        Self(Arc::new(Shared { token, listen, monitor, roster }))
    }

    /// The service to be run at the port.
    pub fn router(&self) -> Router {
        let confidential = Router::new()
            .route("/nodes", get(nodes).post(add))
            .route("/nodes/{name}/remove", post(remove))
            .route("/nodes/{name}/weight", post(weigh))
            .route("/nodes/{name}/drain", post(drain))
            .route("/nodes/{name}/resume", post(resume))
            .route_layer(from_fn_with_state(self.clone(), guard::token));
        let guarded = Router::new()
            .route("/metrics", get(metrics))
            .merge(confidential)
            .layer(from_fn_with_state(self.clone(), guard::host));
        Router::new()
            .route("/healthz", get(async || "alive\n"))
            .merge(guarded)
            .fallback(async || Refusal::NoSuchPage)
            .method_not_allowed_fallback(async || Refusal::WrongMethod)
            .layer(DefaultBodyLimit::max(BODY_BOUND))
            .with_state(self.clone())
    }
}

async fn nodes(State(AdminPort(port)): State<AdminPort>) -> Json<Vec<NodeStatus>> {
    Json(port.monitor.status())
}

async fn metrics(State(AdminPort(port)): State<AdminPort>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics::exposition(&port.monitor.status()))
}

async fn add(State(AdminPort(port)): State<AdminPort>, node: Asked<NodeConfig>) -> Changed {
    done(port.roster.add(&node?.0))
}

async fn remove(State(AdminPort(port)): State<AdminPort>, Path(name): Path<String>) -> Changed {
    done(port.roster.remove(&name))
}

async fn weigh(
    State(AdminPort(port)): State<AdminPort>,
    Path(name): Path<String>,
    weight: Asked<Weight>,
) -> Changed {
    done(port.roster.set_weight(&name, weight?.weight))
}

async fn drain(State(AdminPort(port)): State<AdminPort>, Path(name): Path<String>) -> Changed {
    done(port.roster.drain(&name))
}

async fn resume(State(AdminPort(port)): State<AdminPort>, Path(name): Path<String>) -> Changed {
    done(port.roster.resume(&name))
}

fn done(changed: Result<(), RosterError>) -> Changed {
    changed.map(|()| StatusCode::NO_CONTENT).map_err(Refusal::from)
}
