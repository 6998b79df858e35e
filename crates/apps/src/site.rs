//! The applications of a node, each at its context path, exchangeable while requests run.
//!
//! A request is served by the version that is mounted when it arrives, until it ends. The longest matching
//! path wins.
//!
//! Next: `site/application.rs`, which turns an archive into an application. Must not know where applications
//! come from.

mod application;
mod grants;
mod session_in_path;

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use http::StatusCode;
use parking_lot::RwLock;
use tower::Service;

pub use application::{Application, ApplicationBuilder, UnusableApplication, directory};
pub(crate) use grants::GrantRow;
pub use grants::{Granted, NotGranted};

/// All applications of a node. Clones share one state.
#[derive(Clone, Default)]
pub struct Site {
    /// The longest paths first; replaced as a whole.
    table: Arc<RwLock<Arc<[Mounted]>>>,
}

/// A mounted version of an application.
#[derive(Clone)]
struct Mounted {
    /// Empty for `/`.
    path: Arc<str>,
    router: Router,
    /// Kept by each request of this version until its response begins.
    running: Arc<()>,
}

/// An unmounted version; its requests may still run.
#[must_use = "its requests may still run"]
#[derive(Debug)]
pub struct Unmounted(Arc<()>);

impl Site {
    /// Routes new requests for `path` (such as `/shop` or `/`) and below to `router`, which sees full paths.
    /// Returns the replaced version.
    pub fn mount(&self, path: &str, router: Router) -> Option<Unmounted> {
        let running = Arc::new(());
        let mounted = Mounted { path: base(path).into(), router, running };
        self.exchange(base(path), Some(mounted))
    }

    /// Unmounts the application at `path`.
    pub fn unmount(&self, path: &str) -> Option<Unmounted> {
        self.exchange(base(path), None)
    }

    /// Whether something is mounted at `path` itself.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.table.read().iter().any(|mounted| &*mounted.path == base(path))
    }

    /// A router that passes every request to its application.
    pub fn router(&self) -> Router {
        Router::new().fallback_service(self.clone())
    }

    fn exchange(&self, base: &str, next: Option<Mounted>) -> Option<Unmounted> {
        let mut table = self.table.write();
        let (old, mut kept): (Vec<_>, Vec<_>) =
            table.iter().cloned().partition(|mounted| &*mounted.path == base);
        kept.extend(next);
        kept.sort_by_key(|mounted| std::cmp::Reverse(mounted.path.len()));
        *table = kept.into();
        old.into_iter().next().map(|old| Unmounted(old.running))
    }

    /// The application of a path; else whether there is any other.
    fn find(&self, path: &str) -> Result<Mounted, bool> {
        let table = Arc::clone(&self.table.read());
        let found = table.iter().find(|mounted| mounted.has(path)).cloned();
        found.ok_or(!table.is_empty())
    }
}

impl Unmounted {
    /// Whether no request of the version runs any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

impl Mounted {
    /// Whether a path is the context path or below it.
    fn has(&self, path: &str) -> bool {
        path.strip_prefix(&*self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The path without the slash at its end.
fn base(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// Passes a request to its application.
impl Service<Request> for Site {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if let Some(elsewhere) = session_in_path::without(request.uri()) {
            return Box::pin(ready(Ok(elsewhere)));
        }
        match self.find(request.uri().path()) {
            Ok(Mounted { mut router, running, .. }) => Box::pin(async move {
                let response = router.call(request).await;
                // With the response head everything is committed.
                drop(running);
                response
            }),
            Err(has_some) => Box::pin(ready(Ok(nothing_there(has_some)))),
        }
    }
}

/// The response for a path without an application. It names no application: strangers need not know them all.
fn nothing_there(has_some: bool) -> Response {
    let words = if has_some {
        "There is no application at this path. `sessile apps NODE` lists those of a node.\n"
    } else {
        "There is no application at this path. This node has none: name one in [[app]] of its configuration, or deploy \
         one.\n"
    };
    (StatusCode::NOT_FOUND, words).into_response()
}
