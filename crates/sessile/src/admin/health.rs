//! Liveness of the process and readiness of the node.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use sessile_core::NodeState;

use super::AdminPort;
use crate::Cluster;

/// The health check on the HTTP port: `health_path` answers 200 while this node accepts requests, and 503
/// while it is not ready or is leaving.
pub fn health(cluster: &Cluster) -> Router {
    let path = cluster.config().http.health_path.clone();
    let answer = async |State(cluster): State<Cluster>| readiness(&cluster);
    Router::new().route(&path, get(answer)).with_state(cluster.clone())
}

pub(super) async fn alive() -> &'static str {
    "alive\n"
}

pub(super) async fn ready(State(port): State<AdminPort>) -> Response {
    match port.cluster() {
        Ok(cluster) => readiness(cluster),
        Err(_) => not_ready("joining its cluster"),
    }
}

fn readiness(cluster: &Cluster) -> Response {
    if cluster.is_ready() {
        return ([(CACHE_CONTROL, "no-store")], "ready\n").into_response();
    }
    not_ready(match cluster.state() {
        NodeState::Searching | NodeState::Joining => "joining its cluster",
        NodeState::Ready | NodeState::Incomplete => "waiting for members that do not answer",
        NodeState::Draining => "draining: about to leave",
        NodeState::Left => "left its cluster",
        NodeState::Refused => "refused: another live process has its name",
    })
}

fn not_ready(why: &str) -> Response {
    let headers = [(CACHE_CONTROL, "no-store"), (RETRY_AFTER, "1")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, format!("not ready: {why}\n")).into_response()
}
