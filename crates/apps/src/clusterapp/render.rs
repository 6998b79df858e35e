//! Renders results as JSON for programs and as a page for browsers. It acts last, when the commit is settled.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;
use sessile::Receipt;
use tower::{Layer, Service, ServiceExt};

use super::ClusterappState;
use super::accept::prefers_page;
use super::command_result::{CommandResult, ResultFields};
use super::error::ClusterappError;
use super::measuring;
use super::page;

const X_NODE: HeaderName = HeaderName::from_static("x-node");
/// Pages load nothing, from nowhere; the icon is a `data:` link.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; \
                           base-uri 'none'; frame-ancestors 'none'";
/// Most bytes of an error text of another layer.
const MAX_MESSAGE_BYTES: usize = 4 * 1024;

#[derive(Serialize)]
struct Object<'a> {
    node: &'a str,
    sid: Option<String>,
    #[serde(flatten)]
    facts: &'a ResultFields,
}

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
    if let Some(mut answer) = response.extensions_mut().remove::<CommandResult>() {
        if receipt.is_some_and(|receipt| receipt.ended) {
            answer.sid = None;
        }
        if answer.details.is_some() {
            write_page(&mut response, page::session(site, &host, &answer, receipt));
        } else {
            let sid = answer.sid.map(|key| key.to_string());
            write_json(&mut response, &Object { node: site.cluster.name(), sid, facts: &answer.facts });
        }
    } else if response.status().is_client_error() || response.status().is_server_error() {
        let problem = problem(site, &mut response).await;
        if wants_page {
            write_page(&mut response, page::problem(site, &problem));
        } else {
            write_json(&mut response, &json!({ "error": problem.message }));
        }
    }
    let name =
        HeaderValue::from_str(site.cluster.name()).expect("a node's name is made of letters and digits");
    response.headers_mut().insert(X_NODE, name);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
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

fn write_json(response: &mut Response, object: &impl Serialize) {
    let text = serde_json::to_vec(object).expect("names, numbers and texts are JSON");
    write(response, "application/json", text);
}

fn write_page(response: &mut Response, page: String) {
    write(response, "text/html; charset=utf-8", page.into_bytes());
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn write(response: &mut Response, kind: &'static str, bytes: Vec<u8>) {
    *response.body_mut() = Body::from(bytes);
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
}
