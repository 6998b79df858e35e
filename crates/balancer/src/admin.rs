//! The balancer's admin port: what the nodes do, for operators and their tools, and changes to the list.
//!
//! | request | does | token |
//! |---|---|---|
//! | `GET /healthz` | 200 while the process answers | no |
//! | `GET /metrics` | the text format of Prometheus, names begin with `sessile_balancer_` | no |
//! | `GET /` | the statistics as a page for people; a browser gives the token as the password | yes |
//! | `GET /stats` | the same as JSON: `{balancer, log_lines_lost, nodes}` | yes |
//! | `GET /nodes` | tells `[{name, address, state, weight, active, …}]`, see [`BackendStatus`](crate::BackendStatus) | yes |
//! | `POST /nodes` | takes in `{"name", "address", "weight", "health", "max_requests"}`; the last three may be left out | yes |
//! | `POST /nodes/NAME/remove` | takes the node out | yes |
//! | `POST /nodes/NAME/weight` | `{"weight": N}` is its share of new clients | yes |
//! | `POST /nodes/NAME/drain`, `…/resume` | lets it run empty; gives it requests again | yes |
//! | `POST /reload` | has the balancer's file read again | yes |
//!
//! Changes answer `{"done": "…"}` in words, and last until the balancer ends. Errors are `{"error": "…"}`.
//! Opens no port itself.
//!
//! Next: `admin/guard.rs` for who is answered, `admin/metrics.rs` for the exposition, `admin/page.rs` for
//! people.

mod error;
mod guard;
mod metrics;
mod page;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde::{Deserialize, Serialize};

use crate::config::BackendConfig;
use crate::control::BackendControl;
use crate::statistics::BalancerStatus;
use crate::status::{BackendMonitor, BackendStatus};
use error::{AdminError, Asked};

/// Most bytes of a request's body.
const BODY_BOUND: usize = 16 * 1024;

/// Has the balancer's file read again: what was changed, or why nothing was, in words.
pub type Reload = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// Lines of the program's own log that were lost so far.
pub type LogLinesLost = fn() -> u64;

/// The state behind the admin port. Clones are the same port.
#[derive(Clone)]
pub struct BalancerAdmin(Arc<Shared>);

struct Shared {
    token: String,
    listen: SocketAddr,
    monitor: BackendMonitor,
    control: BackendControl,
    reload: Option<Reload>,
    log_lines_lost: LogLinesLost,
}

/// Everything that is counted.
#[derive(Debug, Serialize)]
struct Statistics {
    balancer: BalancerStatus,
    log_lines_lost: u64,
    nodes: Vec<BackendStatus>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Weight {
    weight: u32,
}

/// The result of a change, in words.
#[derive(Debug, Serialize)]
struct Done {
    done: String,
}

type Changed = Result<Json<Done>, AdminError>;

impl BalancerAdmin {
    /// The port at `listen` of a balancer. Whoever knows `token` may change its nodes: it must not be empty
    /// or guessable. Without `reload` there is no file to be read again. The
    /// program says with `log_lines_lost` what its log cannot tell.
    #[must_use]
    pub fn new(
        token: String,
        listen: SocketAddr,
        monitor: BackendMonitor,
        control: BackendControl,
        reload: Option<Reload>,
        log_lines_lost: LogLinesLost,
    ) -> Self {
        Self(Arc::new(Shared { token, listen, monitor, control, reload, log_lines_lost }))
    }

    /// The service to be run at the port.
    pub fn router(&self) -> Router {
        let confidential = Router::new()
            .route("/", get(page))
            .route("/stats", get(stats))
            .route("/reload", post(reload))
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

impl Shared {
    fn statistics(&self) -> Statistics {
        let log_lines_lost = (self.log_lines_lost)();
        Statistics { balancer: self.monitor.balancer(), log_lines_lost, nodes: self.monitor.status() }
    }

    /// One node, where it exists.
    fn node(&self, name: &str) -> Option<BackendStatus> {
        self.monitor.status().into_iter().find(|node| node.name == name)
    }

    /// The requests that still run at a node, in words.
    fn running(&self, name: &str) -> String {
        match self.node(name).map_or(0, |node| node.active) {
            0 => "nothing runs there".into(),
            1 => "1 request still runs there".into(),
            active => format!("{active} requests still run there"),
        }
    }
}

async fn page(State(BalancerAdmin(port)): State<BalancerAdmin>) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, page::render(&port.statistics()))
}

async fn stats(State(BalancerAdmin(port)): State<BalancerAdmin>) -> Json<Statistics> {
    Json(port.statistics())
}

async fn nodes(State(BalancerAdmin(port)): State<BalancerAdmin>) -> Json<Vec<BackendStatus>> {
    Json(port.monitor.status())
}

async fn metrics(State(BalancerAdmin(port)): State<BalancerAdmin>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics::exposition(&port.statistics()))
}

async fn add(State(BalancerAdmin(port)): State<BalancerAdmin>, node: Asked<BackendConfig>) -> Changed {
    let node = node?.0;
    port.control.add(&node)?;
    let BackendConfig { name, address, weight, .. } = node;
    done(format!(
        "{name} at {address} was added with weight {weight}; it gets clients once a check finds it ready"
    ))
}

async fn remove(State(BalancerAdmin(port)): State<BalancerAdmin>, Path(name): Path<String>) -> Changed {
    let running = port.running(&name);
    port.control.remove(&name)?;
    done(format!("{name} was removed; {running}, and its clients go to other nodes"))
}

async fn weigh(
    State(BalancerAdmin(port)): State<BalancerAdmin>,
    Path(name): Path<String>,
    weight: Asked<Weight>,
) -> Changed {
    let weight = weight?.weight;
    let before = port.node(&name).map_or(0, |node| node.weight);
    port.control.set_weight(&name, weight)?;
    let what = if weight == 0 { "; it keeps its sessions and gets no new clients" } else { "" };
    done(format!("{name} has weight {weight}, before {before}{what}"))
}

async fn drain(State(BalancerAdmin(port)): State<BalancerAdmin>, Path(name): Path<String>) -> Changed {
    port.control.drain(&name)?;
    done(format!("{name} gets nothing new until it is resumed; {}", port.running(&name)))
}

async fn resume(State(BalancerAdmin(port)): State<BalancerAdmin>, Path(name): Path<String>) -> Changed {
    match port.control.resume(&name)? {
        true => done(format!("{name} is resumed; it gets requests once a check finds it ready")),
        false => done(format!("{name} was not drained by an operator; nothing has changed")),
    }
}

async fn reload(State(BalancerAdmin(port)): State<BalancerAdmin>) -> Changed {
    let reload = port.reload.clone().ok_or(AdminError::NoFile)?;
    let reloaded = tokio::task::spawn_blocking(move || reload()).await;
    done(
        reloaded
            .map_err(|cause| AdminError::NotReloaded(cause.to_string()))?
            .map_err(AdminError::NotReloaded)?,
    )
}

fn done(done: String) -> Changed {
    Ok(Json(Done { done }))
}

impl std::fmt::Debug for BalancerAdmin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BalancerAdmin").field("listen", &self.0.listen).finish_non_exhaustive()
    }
}
