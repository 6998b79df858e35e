//! What is changed by POST, but for the stop.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::AdminPort;
use super::refusal::Refusal;
use crate::admin_tokens;

/// Longest wait for the members in a comparison.
const RESYNC_LIMIT: Duration = Duration::from_secs(60);

/// Whether balancers are told to choose this node.
#[derive(Serialize)]
pub(super) struct Offered {
    offered: bool,
}

/// The switch of the route in the cookie.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    rewrite: bool,
}

/// What a comparison with all members found.
#[derive(Serialize)]
pub(super) struct Compared {
    members: Vec<String>,
    sessions: u64,
    repaired: u64,
}

/// What names the secrets in use, the active one first.
#[derive(Serialize)]
pub(super) struct Secrets {
    secrets: Vec<String>,
}

pub(super) async fn drain(State(port): State<AdminPort>) -> Result<Json<Offered>, Refusal> {
    port.cluster()?.offer(false);
    Ok(Json(Offered { offered: false }))
}

pub(super) async fn resume(State(port): State<AdminPort>) -> Result<Json<Offered>, Refusal> {
    port.cluster()?.offer(true);
    Ok(Json(Offered { offered: true }))
}

pub(super) async fn route(
    State(port): State<AdminPort>,
    route: Result<Query<Route>, QueryRejection>,
) -> Result<Json<Route>, Refusal> {
    let wrong = |_| Refusal::BadQuestion("write rewrite=true or rewrite=false".to_owned());
    let Query(route) = route.map_err(wrong)?;
    port.cluster()?.rewrite_route(route.rewrite);
    Ok(Json(route))
}

pub(super) async fn resync(State(port): State<AdminPort>) -> Result<Json<Compared>, Refusal> {
    let found = port.cluster()?.resync(RESYNC_LIMIT).await;
    let found = found.map_err(|error| Refusal::Failed(error.to_string()))?;
    Ok(Json(Compared { members: found.members, sessions: found.sessions, repaired: found.repaired }))
}

pub(super) async fn reload_secrets(State(port): State<AdminPort>) -> Result<Json<Secrets>, Refusal> {
    let cluster = port.cluster()?;
    let secrets = cluster.reload_secrets().map_err(|error| Refusal::Failed(error.to_string()))?;
    port.believe(admin_tokens(&secrets, &cluster.config().cluster.name));
    Ok(Json(Secrets { secrets: secrets.ids() }))
}
