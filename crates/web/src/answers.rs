//! The answers that the layer gives in the application's place. Their bodies are for users: the inside goes
//! to the log.

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use sessile_node::host::NotServing;

/// Says that a node did not process a request, so that a balancer may give it to another. Only nodes set it.
pub(crate) const UNPROCESSED: HeaderName = HeaderName::from_static("sessile-unprocessed");
/// Says how many copies hold what the request changed.
pub(crate) const RECEIPT: HeaderName = HeaderName::from_static("sessile-receipt");

pub(crate) const SOON: HeaderValue = HeaderValue::from_static("1");
const PROBLEM_JSON: &str = "application/problem+json";

/// The words of an answer's body, which may be written in another form.
#[derive(Clone, Copy, Debug)]
struct Explanation(&'static str);

/// The request was not processed: another node may take it.
pub(crate) fn unprocessed<B: From<String>>(why: &NotServing) -> Response<B> {
    tracing::debug!(%why, "a request was not processed");
    let mut response = explained(
        StatusCode::SERVICE_UNAVAILABLE,
        "This cannot be done right now. Please try again in a moment.",
    );
    response.headers_mut().insert(RETRY_AFTER, SOON);
    response.headers_mut().insert(UNPROCESSED, SOON);
    response
}

/// The request was processed, but the node lost the right to answer before its response could go.
pub(crate) fn outcome_unknown<B: From<String>>() -> Response<B> {
    tracing::debug!(
        "this node left the cluster while it processed a request; whether the changes stay is open"
    );
    let words = "It is not known whether this was done. Please look before you try again.";
    let mut response = explained(StatusCode::SERVICE_UNAVAILABLE, words);
    response.headers_mut().insert(RETRY_AFTER, SOON);
    response
}

/// An answer with words for the user.
pub(crate) fn explained<B: From<String>>(status: StatusCode, words: &'static str) -> Response<B> {
    let mut response = Response::new(B::from(format!("{words}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.extensions_mut().insert(Explanation(words));
    response
}

/// Whether whoever asks reads problem details (RFC 9457).
pub(crate) fn accepts_problems(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let kinds = lines.map(|range| range.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii());
    kinds.into_iter().any(|kind| kind.eq_ignore_ascii_case(PROBLEM_JSON.as_bytes()))
}

/// Writes an answer that was made here, or of a `SessionError`, as problem details.
pub(crate) fn as_problem<B: From<String>>(response: Response<B>) -> Response<B> {
    let Some(Explanation(words)) = response.extensions().get().copied() else { return response };
    let status = response.status();
    let title = status.canonical_reason().unwrap_or("Error");
    let problem = serde_json::json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": words });
    let (mut parts, _) = response.into_parts();
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, B::from(problem.to_string()))
}
