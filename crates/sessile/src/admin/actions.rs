//! Changes by POST, except the stop.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::AdminPort;
use super::error::AdminPageError;
use super::token::admin_tokens;

/// Longest wait for the members' answers in a comparison.
const RESYNC_LIMIT: Duration = Duration::from_secs(60);

/// Whether balancers may choose this node.
#[derive(Serialize)]
pub(super) struct OfferState {
    offered: bool,
}

/// The query that switches route rewriting.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteQuery {
    rewrite: bool,
}

/// The result of a comparison with all members.
#[derive(Serialize)]
pub(super) struct ResyncResult {
    members: Vec<String>,
    sessions: u64,
    repaired: u64,
}

/// Public ids of the secrets in use, the active one first.
#[derive(Serialize)]
pub(super) struct SecretIds {
    secrets: Vec<String>,
}

pub(super) async fn drain(State(port): State<AdminPort>) -> Result<Json<OfferState>, AdminPageError> {
    port.cluster()?.offer(false);
    Ok(Json(OfferState { offered: false }))
}

pub(super) async fn resume(State(port): State<AdminPort>) -> Result<Json<OfferState>, AdminPageError> {
    port.cluster()?.offer(true);
    Ok(Json(OfferState { offered: true }))
}

pub(super) async fn route(
    State(port): State<AdminPort>,
    route: Result<Query<RouteQuery>, QueryRejection>,
) -> Result<Json<RouteQuery>, AdminPageError> {
    let wrong = |_| AdminPageError::BadQuery("write rewrite=true or rewrite=false".to_owned());
    let Query(route) = route.map_err(wrong)?;
    port.cluster()?.rewrite_route(route.rewrite);
    Ok(Json(route))
}

pub(super) async fn resync(State(port): State<AdminPort>) -> Result<Json<ResyncResult>, AdminPageError> {
    let found = port.cluster()?.resync(RESYNC_LIMIT).await;
    let found = found.map_err(|error| AdminPageError::Failed(error.to_string()))?;
    Ok(Json(ResyncResult { members: found.members, sessions: found.sessions, repaired: found.repaired }))
}

pub(super) async fn reload_secrets(State(port): State<AdminPort>) -> Result<Json<SecretIds>, AdminPageError> {
    let cluster = port.cluster()?;
    let secrets = cluster.reload_secrets().map_err(|error| AdminPageError::Failed(error.to_string()))?;
    port.believe(admin_tokens(&secrets, &cluster.config().cluster.name));
    Ok(Json(SecretIds { secrets: secrets.ids() }))
}
