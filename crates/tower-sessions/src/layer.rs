//! The layer around the stock session layer.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{COOKIE, HeaderName, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use sessile_web::SessionError;
use sessile_web::json_store::{CookieRoute, JsonSessionStore, UNPROCESSED};
use tower_layer::Layer;
use tower_service::Service;

/// Goes around the `SessionManagerLayer`; made by
/// [`SessileStore::request_layer`](crate::SessileStore::request_layer).
///
/// It remembers what a request loads, so that its save writes only what the request changed. It answers 503
/// with `Sessile-Unprocessed: 1` while this node does not serve, and lets a graceful stop wait for the
/// requests that run.
#[derive(Clone, Debug)]
pub struct RequestLayer {
    sessions: JsonSessionStore,
    route: Option<Arc<CookieRoute>>,
}

impl RequestLayer {
    pub(crate) fn new(sessions: JsonSessionStore) -> Self {
        Self { sessions, route: None }
    }

    /// Lets `cookie`, the name that the `SessionManagerLayer` has (`id` by default), carry this node's name
    /// behind a dot, as balancers with sticky sessions look for it. It is taken off again before the
    /// `SessionManagerLayer` sees it, which takes only the bare id.
    ///
    /// A session that moved names its new node from its next `Set-Cookie` on.
    #[must_use]
    pub fn with_route(self, cookie: &str) -> Self {
        let route = CookieRoute::new(cookie, self.sessions.sessions().node_name());
        Self { route: Some(Arc::new(route)), ..self }
    }
}

impl<S> Layer<S> for RequestLayer {
    type Service = RequestService<S>;

    fn layer(&self, inner: S) -> RequestService<S> {
        RequestService { inner, layer: self.clone() }
    }
}

/// An application behind a [`RequestLayer`].
#[derive(Clone, Debug)]
pub struct RequestService<S> {
    inner: S,
    layer: RequestLayer,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for RequestService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    RequestBody: Send + 'static,
    ResponseBody: From<String> + Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        // The service that was made ready is the one to call; its clone may not be.
        let unready = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, unready);
        let RequestLayer { sessions, route } = self.layer.clone();
        Box::pin(async move {
            if let Some(route) = &route {
                rewrite(request.headers_mut(), COOKIE, |cookies| Some(route.take_off(cookies)));
            }
            // Not before the gate: a call of the inner service may do anything at once.
            let mut response = match sessions.request(async { inner.call(request).await }).await {
                Ok(response) => response?,
                Err(error) => return Ok(unavailable(&error)),
            };
            response.headers_mut().remove(UNPROCESSED);
            if let Some(route) = &route {
                rewrite(response.headers_mut(), SET_COOKIE, |cookie| route.put_on(cookie));
            }
            Ok(response)
        })
    }
}

/// Replaces the headers of that name for which there are other bytes.
fn rewrite(headers: &mut HeaderMap, name: HeaderName, other: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    for value in headers.iter_mut().filter(|(given, _)| *given == name).map(|(_, value)| value) {
        if let Some(Ok(bytes)) = other(value.as_bytes()).map(HeaderValue::try_from) {
            *value = bytes;
        }
    }
}

const UNAVAILABLE: &str = "This cannot be done right now. Please try again in a moment.\n";

fn unavailable<B: From<String>>(error: &SessionError) -> Response<B> {
    let mut response = Response::new(B::from(UNAVAILABLE.to_owned()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    if let SessionError::NotServing(_) = error {
        response.headers_mut().insert(UNPROCESSED, HeaderValue::from_static("1"));
    }
    response
}
