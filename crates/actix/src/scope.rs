//! The middleware around the stock session middleware.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::error::InternalError;
use actix_web::http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, SET_COOKIE};
use actix_web::{Error, HttpResponse, HttpResponseBuilder};
use sessile_web::SessionError;
use sessile_web::json_store::{CookieRoute, JsonSessionStore, UNPROCESSED};

/// Goes around the `SessionMiddleware`; made by
/// [`SessileStore::request_scope`](crate::SessileStore::request_scope).
///
/// It remembers what a request loads, so that its update writes only what the request changed. It answers 503
/// with `Sessile-Unprocessed: 1` while this node does not serve, and lets a graceful stop wait for the
/// requests that run.
#[derive(Clone, Debug)]
pub struct RequestScope {
    sessions: JsonSessionStore,
    route: Option<CookieRoute>,
}

impl RequestScope {
    pub(crate) fn new(sessions: JsonSessionStore) -> Self {
        Self { sessions, route: None }
    }

    /// Lets `cookie`, the name that the `SessionMiddleware` has (`id` by default), carry this node's name
    /// behind a dot, as balancers with sticky sessions look for it. It is taken off again before the
    /// `SessionMiddleware` sees it.
    ///
    /// A session that moved names its new node from its next `Set-Cookie` on.
    #[must_use]
    pub fn with_route(self, cookie: &str) -> Self {
        let route = CookieRoute::new(cookie, self.sessions.sessions().node_name());
        Self { route: Some(route), ..self }
    }
}

impl<S, B> Transform<S, ServiceRequest> for RequestScope
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = RequestScopeService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(RequestScopeService { inner: Rc::new(inner), scope: self.clone() }))
    }
}

/// An application behind a [`RequestScope`].
#[derive(Debug)]
pub struct RequestScopeService<S> {
    inner: Rc<S>,
    scope: RequestScope,
}

impl<S, B> Service<ServiceRequest> for RequestScopeService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(inner);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let (inner, RequestScope { sessions, route }) = (Rc::clone(&self.inner), self.scope.clone());
        Box::pin(async move {
            if let Some(route) = &route {
                rewrite(request.headers_mut(), &COOKIE, |cookies| Some(route.take_off(cookies)));
            }
            // Not before the gate: a call of the inner service may do anything at once.
            let answered = sessions.request(async { inner.call(request).await }).await;
            let mut response = answered.map_err(|error| unavailable(&error))??;
            response.headers_mut().remove(UNPROCESSED);
            if let Some(route) = &route {
                rewrite(response.headers_mut(), &SET_COOKIE, |cookie| route.put_on(cookie));
            }
            Ok(response)
        })
    }
}

/// Replaces the headers of that name for which there are other bytes.
fn rewrite(headers: &mut HeaderMap, name: &HeaderName, other: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    for value in headers.remove(name).collect::<Vec<_>>() {
        let bytes = other(value.as_bytes()).and_then(|bytes| HeaderValue::try_from(bytes).ok());
        headers.append(name.clone(), bytes.unwrap_or(value));
    }
}

const UNAVAILABLE: &str = "This cannot be done right now. Please try again in a moment.\n";

fn unavailable(error: &SessionError) -> Error {
    let mut answer: HttpResponseBuilder = HttpResponse::ServiceUnavailable();
    answer.insert_header((RETRY_AFTER, "1"));
    if let SessionError::NotServing(_) = error {
        answer.insert_header((UNPROCESSED, "1"));
    }
    InternalError::from_response(error.to_string(), answer.body(UNAVAILABLE)).into()
}
