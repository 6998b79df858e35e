//! A node that is about to leave goes on serving until nobody chooses it any more.

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

/// A node that got no request for this long is chosen by nobody: twice the pause between the health checks of
/// `sessile balance`.
const QUIET: Duration = Duration::from_secs(1);
/// Whoever still sends requests after this long does not ask for health.
const NOTICE: Duration = Duration::from_secs(5);

/// Tells the clients of all applications that they should go. Clones tell the same ones.
#[derive(Debug, Clone)]
pub(crate) struct Farewell {
    /// When the newest request came; `None` until the farewell has begun.
    newest: Arc<watch::Sender<Option<Instant>>>,
}

impl Farewell {
    /// The farewell of a node with these applications.
    pub(crate) fn of(applications: Router) -> (Self, Router) {
        let farewell = Self { newest: Arc::new(watch::Sender::new(None)) };
        let (hears, tells) = (farewell.clone(), farewell.clone());
        let told = applications.layer(
            ServiceBuilder::new()
                .map_request(move |request| hears.hear(request))
                .map_response(move |response| tells.tell(response)),
        );
        (farewell, told)
    }

    /// From now on every response closes its connection, so that clients look for another node. Ready when no request
    /// has come for a second, at the latest after five, or after `at_most`.
    pub(crate) async fn said(&self, at_most: Duration) {
        self.newest.send_replace(Some(Instant::now()));
        if timeout(at_most.min(NOTICE), self.quiet()).await.is_err() && at_most > NOTICE {
            tracing::warn!("requests still come, from somebody who does not ask for health; the port closes");
        }
    }

    fn has_begun(&self) -> bool {
        self.newest.borrow().is_some()
    }

    async fn quiet(&self) {
        loop {
            let newest = *self.newest.borrow();
            match newest.map(|newest| newest + QUIET) {
                Some(quiet) if quiet > Instant::now() => sleep_until(quiet).await,
                _ => return,
            }
        }
    }

    /// Notes that a request came.
    fn hear(&self, request: Request) -> Request {
        if self.has_begun() {
            self.newest.send_replace(Some(Instant::now()));
        }
        request
    }

    /// Closes the connection of the response.
    fn tell(&self, mut response: Response) -> Response {
        if self.has_begun() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
