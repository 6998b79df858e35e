//! The tower service around an application.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::answers;
use super::app::AppSessions;
use super::exchange::Exchange;
use super::session::Session;
use super::sessions::Sessions;

/// An application whose requests carry a [`Session`](super::Session); made by
/// [`SessionLayer`](super::SessionLayer).
#[derive(Clone)]
pub struct SessionService<S> {
    inner: S,
    app: Arc<AppSessions>,
}

impl<S> SessionService<S> {
    pub(crate) fn new(inner: S, app: Arc<AppSessions>) -> Self {
        Self { inner, app }
    }
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for SessionService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>> + Clone + Send + 'static,
    S::Future: Send,
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
        let app = Arc::clone(&self.app);
        // The layer may be there twice, around a router and around what is nested in it: the outer one
        // commits.
        let outer = outer_session(&app, &request);
        Box::pin(async move {
            if let Some(session) = outer {
                request.extensions_mut().insert(session);
                return inner.call(request).await;
            }
            let accepts_problems = answers::accepts_problems(request.headers());
            let exchange = match Exchange::begin(app, &mut request).await {
                Ok(exchange) => exchange,
                Err(not_serving) => {
                    let answer = answers::unprocessed(&not_serving);
                    return Ok(if accepts_problems { answers::as_problem(answer) } else { answer });
                }
            };
            // A panic, an error or a client that hangs up leaves here: the session is closed and nothing is
            // written.
            let response = inner.call(request).await?;
            Ok(exchange.finish(response).await)
        })
    }
}

/// The session that a layer of the same application around this one has opened.
fn outer_session<B>(app: &AppSessions, request: &Request<B>) -> Option<Session> {
    let outer = request.extensions().get::<Sessions>()?;
    outer.iter().rev().find(|session| session.app().is_same_as(app)).cloned()
}
