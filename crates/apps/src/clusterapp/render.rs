//! Renders results as JSON for programs and as a page for browsers. It acts last, when the commit is settled.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use sessile::Receipt;
use tower::{Layer, Service, ServiceExt};

use super::ClusterappState;
use super::accept::prefers_page;
use super::command_result::{self, CommandResult, Presentation, redirect};
use super::error::ClusterappError;
use super::measuring;
use super::outcome::Outcome;
use super::page;

const X_NODE: HeaderName = HeaderName::from_static("x-node");
/// Says that the response is that of an earlier request with the same idempotency key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Pages load nothing, from nowhere; the icon is a `data:` link.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; \
                           base-uri 'none'; frame-ancestors 'none'";
/// Most bytes of an error text of another layer.
const MAX_MESSAGE_BYTES: usize = 4 * 1024;

/// Puts [`Rendered`] around services.
#[derive(Clone)]
pub(super) struct Rendering(pub(super) Arc<ClusterappState>);

impl<S> Layer<S> for Rendering {
    type Service = Rendered<S>;

    fn layer(&self, inner: S) -> Rendered<S> {
        Rendered { site: Arc::clone(&self.0), inner }
    }
}

/// A service that renders results and errors.
#[derive(Clone)]
pub(super) struct Rendered<S> {
    site: Arc<ClusterappState>,
    inner: S,
}

impl<S> Service<Request> for Rendered<S>
where
    S: Service<Request, Response = Response, Error: Into<ClusterappError>, Future: Send>
        + Clone
        + Send
        + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The inner service is polled in `call`, where its error can be answered.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self { site, inner } = self.clone();
        Box::pin(async move { Ok(answer(&site, request, inner).await) })
    }
}

/// Writes the body of the response and the header with the node's name.
async fn answer<S>(site: &ClusterappState, request: Request, inner: S) -> Response
where
    S: Service<Request, Response = Response, Error: Into<ClusterappError>>,
{
    let wants_page = prefers_page(request.headers()) || !is_endpoint(site, request.uri().path());
    let outcome = Outcome::of_query(request.uri()).filter(|_| wants_page);
    let host =
        request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost").to_owned();
    let mut response = match measuring::peek_asked(site, request.uri()) {
        Some(peeked) => peeked,
        None => match inner.oneshot(request).await {
            Ok(response) => response,
            Err(refused) => refused.into().into_response(),
        },
    };
    let receipt = response.extensions().get::<Receipt>().copied();
    if let Some(answer) = response.extensions_mut().remove::<CommandResult>() {
        complete(site, &mut response, answer, receipt, &Asked { host, outcome });
    } else if response.status().is_client_error() || response.status().is_server_error() {
        let problem = problem(site, &mut response).await;
        if wants_page {
            write_page(&mut response, page::problem(site, &problem));
        } else {
            replace(&mut response, command_result::json(&json!({ "error": problem.message })));
        }
    } else if response.headers().contains_key(REPLAYED) {
        tell_repetition(site, &mut response);
    }
    let name =
        HeaderValue::from_str(site.cluster.name()).expect("a node's name is made of letters and digits");
    response.headers_mut().insert(X_NODE, name);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a page shows of its own request.
struct Asked {
    host: String,
    outcome: Option<Outcome>,
}

/// Completes the response to a command by what became of its commit.
fn complete(
    site: &ClusterappState,
    response: &mut Response,
    mut answer: CommandResult,
    receipt: Option<Receipt>,
    asked: &Asked,
) {
    let has_ended = receipt.is_some_and(|receipt| receipt.ended);
    if has_ended {
        answer.sid = None;
    }
    match answer.presentation.clone() {
        Presentation::Page(details) => {
            let details = Some(&details).filter(|_| answer.sid.is_some());
            let page = page::session(site, &asked.host, answer.sid, details, asked.outcome.as_ref());
            write_page(response, page);
        }
        Presentation::Json if has_ended => replace(response, answer.json(site)),
        Presentation::Json => {}
        Presentation::Redirect(outcome) => {
            replace(response, redirect(&outcome.with_receipt(receipt).location(&site.base_path)));
        }
    }
}

/// A form that was sent before gets the answer of that time; its page says so.
fn tell_repetition(site: &ClusterappState, response: &mut Response) {
    let noted = response.headers().get(LOCATION).and_then(|location| location.to_str().ok()?.parse().ok());
    if let Some(outcome) = noted.as_ref().and_then(Outcome::of_query) {
        let outcome = Outcome { is_repeated: true, ..outcome };
        replace(response, redirect(&outcome.location(&site.base_path)));
    }
}

/// Whether the path serves programs too; all other paths are pages only.
fn is_endpoint(site: &ClusterappState, path: &str) -> bool {
    matches!(path.strip_prefix(&site.base_path), Some("/session" | "/stats"))
}

/// The application's own error, or the error of the session layer or the router.
async fn problem(site: &ClusterappState, response: &mut Response) -> ClusterappError {
    if let Some(problem) = response.extensions_mut().remove::<ClusterappError>() {
        return problem;
    }
    let said = to_bytes(std::mem::take(response.body_mut()), MAX_MESSAGE_BYTES).await.unwrap_or_default();
    let message = match String::from_utf8_lossy(&said).trim() {
        "" => wordless(site, response.status()),
        message => message.to_owned(),
    };
    ClusterappError::new(response.status(), message)
}

/// The text for a router error without a body.
fn wordless(site: &ClusterappState, status: StatusCode) -> String {
    let base = &site.base_path;
    match status {
        StatusCode::NOT_FOUND => {
            format!("there is no such page; this application has {base}/ and {base}/session")
        }
        StatusCode::METHOD_NOT_ALLOWED => format!("not with this method; {base}/session takes GET and POST"),
        status => status.to_string(),
    }
}

fn write_page(response: &mut Response, page: String) {
    replace(response, ([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response());
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Puts body and headers of `written` into the response; its status and its other headers stay.
fn replace(response: &mut Response, written: Response) {
    let (head, body) = written.into_parts();
    *response.body_mut() = body;
    response.headers_mut().remove(CONTENT_LENGTH);
    for name in [CONTENT_TYPE, LOCATION] {
        if let Some(value) = head.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
}
