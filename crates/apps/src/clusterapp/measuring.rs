//! Diagnostics of a node, answered outside of the session layer, so they use, fetch and copy no session.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde_json::json;
use sessile::SessionKey;

use super::ClusterappState;
use super::command_result::{CommandResult, Presentation, ResultFields};
use super::error::ClusterappError;
use super::parameters::Parameters;

/// The answer to `peek`; `None` to every other request.
pub(super) fn peek_asked(site: &ClusterappState, uri: &Uri) -> Option<Response> {
    // Every request passes here: most are rejected before anything is decoded.
    uri.query().filter(|query| query.contains("peek"))?;
    let is_command = uri.path().strip_prefix(&site.base_path) == Some("/session");
    let parameters = is_command.then(|| Parameters::of_query(uri))?;
    (parameters.get("cmd") == Some("peek"))
        .then(|| peek(site, &parameters).map(|result| result.json(site)).into_response())
}

fn peek(site: &ClusterappState, parameters: &Parameters) -> Result<CommandResult, ClusterappError> {
    only_with_diagnostics(site)?;
    let sid = parameters.text("sid")?;
    let key = SessionKey::parse(sid).ok_or_else(|| {
        let message =
            format!("parameter `sid`: `{sid}` is not a session key of 22 characters, as responses show it");
        ClusterappError::bad_request(message)
    })?;
    let name = parameters.text("name")?;
    let sum = parameters.flag("sum")?;
    Ok(match site.view.peek(key) {
        None => {
            CommandResult { sid: None, facts: ResultFields::not_found(), presentation: Presentation::Json }
        }
        Some(fields) => {
            let value = fields.get(name).map(|value| value.bytes);
            CommandResult {
                sid: Some(key),
                facts: ResultFields::of_value(value.as_deref(), sum),
                presentation: Presentation::Json,
            }
        }
    })
}

/// `GET /stats`: numbers of sessions and members, and request costs.
pub(super) async fn stats(State(site): State<Arc<ClusterappState>>) -> Result<Response, ClusterappError> {
    only_with_diagnostics(&site)?;
    if !site.cluster.is_ready() {
        return Err(ClusterappError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "this node is not ready to serve yet",
        ));
    }
    let done = site.view.statistics();
    let stats = json!({
        "node": site.cluster.name(),
        "sessions": site.view.session_count(),
        "members": site.view.other_members(),
        "valve": {
            "requests": done.requests(),
            "sends": done.sends(),
            "request_ms": milliseconds(done.request_time()),
            "cluster_ms": milliseconds(done.cluster_time()),
        },
    });
    Ok(Json(stats).into_response())
}

fn only_with_diagnostics(site: &ClusterappState) -> Result<(), ClusterappError> {
    if site.diagnostics {
        return Ok(());
    }
    Err(ClusterappError::new(
        StatusCode::NOT_FOUND,
        "not found; [[app]] diagnostics = true would answer this",
    ))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
