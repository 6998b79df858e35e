//! The balancer's admin port: what the nodes do, for operators and their tools, and changes to the list.
//!
//! | request | does | token |
//! |---|---|---|
//! | `GET /healthz` | 200 while the process answers | no |
//! | `GET /metrics` | the text format of Prometheus, names begin with `sessile_balancer_` | no |
//! | `GET /nodes` | tells `[{name, address, state, weight, active, …}]`, see [`BackendStatus`](crate::BackendStatus) | yes |
//! | `POST /nodes` | takes in `{"name", "address", "weight", "health"}`, the last two may be left out | yes |
//! | `POST /nodes/NAME/remove` | takes the node out | yes |
//! | `POST /nodes/NAME/weight` | `{"weight": N}` is its share of new clients | yes |
//! | `POST /nodes/NAME/drain`, `…/resume` | lets it run empty; gives it requests again | yes |
//!
//! Changes answer 204 and last until the balancer ends. Errors are `{"error": "…"}`. Opens no port itself.
//!
//! Next: `admin/guard.rs` for who is answered, `admin/metrics.rs` for the exposition.

mod error;
mod guard;
mod metrics;

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

use crate::config::BackendConfig;
use crate::control::{BackendControl, ControlError};
use crate::status::{BackendMonitor, BackendStatus};
use error::{AdminError, Asked};

/// Most bytes of a request's body.
const BODY_BOUND: usize = 16 * 1024;

/// What the admin port answers from. Clones are the same port.
#[derive(Debug, Clone)]
pub struct BalancerAdmin(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    token: String,
    listen: SocketAddr,
    monitor: BackendMonitor,
    control: BackendControl,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Weight {
    weight: u32,
}

type Changed = Result<StatusCode, AdminError>;

impl BalancerAdmin {
    /// The port at `listen` of a balancer. Whoever knows `token` may change its nodes: it must not be empty
    /// or guessable.
    #[must_use]
    pub fn new(token: String, listen: SocketAddr, monitor: BackendMonitor, control: BackendControl) -> Self {
        Self(Arc::new(Shared { token, listen, monitor, control }))
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
            .fallback(async || AdminError::NoSuchPage)
            .method_not_allowed_fallback(async || AdminError::WrongMethod)
            .layer(DefaultBodyLimit::max(BODY_BOUND))
            .with_state(self.clone())
    }
}

async fn nodes(State(BalancerAdmin(port)): State<BalancerAdmin>) -> Json<Vec<BackendStatus>> {
    Json(port.monitor.status())
}

async fn metrics(State(BalancerAdmin(port)): State<BalancerAdmin>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics::exposition(&port.monitor.status()))
}

async fn add(State(BalancerAdmin(port)): State<BalancerAdmin>, node: Asked<BackendConfig>) -> Changed {
    done(port.control.add(&node?.0))
}

async fn remove(State(BalancerAdmin(port)): State<BalancerAdmin>, Path(name): Path<String>) -> Changed {
    done(port.control.remove(&name))
}

async fn weigh(
    State(BalancerAdmin(port)): State<BalancerAdmin>,
    Path(name): Path<String>,
    weight: Asked<Weight>,
) -> Changed {
    done(port.control.set_weight(&name, weight?.weight))
}

async fn drain(State(BalancerAdmin(port)): State<BalancerAdmin>, Path(name): Path<String>) -> Changed {
    done(port.control.drain(&name))
}

async fn resume(State(BalancerAdmin(port)): State<BalancerAdmin>, Path(name): Path<String>) -> Changed {
    done(port.control.resume(&name))
}

fn done(changed: Result<(), ControlError>) -> Changed {
    changed.map(|()| StatusCode::NO_CONTENT).map_err(AdminError::from)
}
