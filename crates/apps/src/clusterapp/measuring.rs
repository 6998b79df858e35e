//! What measures a node: answered beside the session layer, so that it touches, fetches and copies nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde_json::json;
use sessile::SessionKey;

use super::Site;
use super::answer::{Answer, Facts};
use super::parameters::Parameters;
use super::problem::Problem;

/// The answer to `peek`; `None` to every other request.
pub(super) fn peek_asked(site: &Site, uri: &Uri) -> Option<Response> {
    // Every request comes by here: most are told apart before anything is decoded.
    uri.query().filter(|query| query.contains("peek"))?;
    let is_command = uri.path().strip_prefix(&site.base_path) == Some("/session");
    let parameters = is_command.then(|| Parameters::of_query(uri))?;
    (parameters.get("cmd") == Some("peek")).then(|| peek(site, &parameters).into_response())
}

fn peek(site: &Site, parameters: &Parameters) -> Result<Answer, Problem> {
    only_with_diagnostics(site)?;
    let sid = parameters.text("sid")?;
    let key = SessionKey::parse(sid).ok_or_else(|| {
        let message =
            format!("parameter `sid`: `{sid}` is no session key of 22 characters, as answers hold it");
        Problem::bad_request(message)
    })?;
    let name = parameters.text("name")?;
    let sum = parameters.flag("sum")?;
    Ok(match site.view.peek(key) {
        None => Answer { sid: None, facts: Facts::not_found(), details: None },
        Some(fields) => {
            let value = fields.get(name).map(|value| value.bytes);
            Answer { sid: Some(key), facts: Facts::of_value(value.as_deref(), sum), details: None }
        }
    })
}

/// `GET /stats`: how many sessions, how many members, and what requests cost.
pub(super) async fn stats(State(site): State<Arc<Site>>) -> Result<Response, Problem> {
    only_with_diagnostics(&site)?;
    if !site.cluster.is_ready() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "this node is not ready to serve yet"));
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

fn only_with_diagnostics(site: &Site) -> Result<(), Problem> {
    if site.diagnostics {
        return Ok(());
    }
    Err(Problem::new(StatusCode::NOT_FOUND, "not found; [[app]] diagnostics = true would answer this"))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
