//! Graceful shutdown of the HTTP port: a leaving node keeps serving until load balancers stop choosing it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use http::HeaderValue;
use http::header::CONNECTION;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tower::ServiceBuilder;

/// A node without a request for this long is no longer chosen by any balancer: twice the interval of the
/// health checks of `sessile balance`.
const QUIET_PERIOD: Duration = Duration::from_secs(1);
/// A client that still sends requests after this long does not use the health check.
const HEALTH_CHECK_LIMIT: Duration = Duration::from_secs(5);

/// Asks the clients of all applications to reconnect elsewhere. Clones share one state.
#[derive(Debug, Clone)]
pub(crate) struct GracefulShutdown {
    /// Arrival of the newest request; `None` until the shutdown begins.
    newest: Arc<watch::Sender<Option<Instant>>>,
}

impl GracefulShutdown {
    /// Wraps `applications`: the returned router takes part in the shutdown.
    pub(crate) fn of(applications: Router) -> (Self, Router) {
        let shutdown = Self { newest: Arc::new(watch::Sender::new(None)) };
        let (on_request, on_response) = (shutdown.clone(), shutdown.clone());
        let wrapped = applications.layer(
            ServiceBuilder::new()
                .map_request(move |request| on_request.note_request(request))
                .map_response(move |response| on_response.close_connection(response)),
        );
        (shutdown, wrapped)
    }

    /// From now on every response closes its connection, so that clients look for another node. Ready when no
    /// request came for [`QUIET_PERIOD`], at the latest after [`HEALTH_CHECK_LIMIT`] or `at_most`.
    pub(crate) async fn begin(&self, at_most: Duration) {
        self.newest.send_replace(Some(Instant::now()));
        let limit = at_most.min(HEALTH_CHECK_LIMIT);
        if timeout(limit, self.until_quiet()).await.is_err() && at_most > HEALTH_CHECK_LIMIT {
            tracing::warn!(
                "clients that do not use the health check still send requests; the HTTP port closes now"
            );
        }
    }

    fn has_begun(&self) -> bool {
        self.newest.borrow().is_some()
    }

    async fn until_quiet(&self) {
        loop {
            let newest = *self.newest.borrow();
            match newest.map(|newest| newest + QUIET_PERIOD) {
                Some(quiet) if quiet > Instant::now() => sleep_until(quiet).await,
                _ => return,
            }
        }
    }

    /// Notes the arrival of a request.
    fn note_request(&self, request: Request) -> Request {
        if self.has_begun() {
            self.newest.send_replace(Some(Instant::now()));
        }
        request
    }

    /// Closes the connection of the response.
    fn close_connection(&self, mut response: Response) -> Response {
        if self.has_begun() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
