//! The applications of a node, each at its context path, exchangeable while requests run.
//!
//! A request takes the version that its path has when it comes, and ends with it, whatever is mounted meanwhile. The
//! longest path wins, so that an application below another one is found.
//!
//! Next: `site/application.rs` for what an archive becomes. Must not know where applications come from.

mod application;
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

pub use application::{Application, Unusable, Workshop, directory};

/// All applications of a node. Clones are the same one.
#[derive(Clone, Default)]
pub struct Site {
    /// The longest paths first; exchanged as a whole.
    table: Arc<RwLock<Arc<[Mounted]>>>,
}

/// A version of an application and where it is mounted.
#[derive(Clone)]
struct Mounted {
    /// Empty for the one at `/`.
    path: Arc<str>,
    router: Router,
    /// Kept by each request of this version until its response begins.
    running: Arc<()>,
}

/// A version that is not mounted any more; requests of it may still wait for their response.
#[must_use = "its requests may still run"]
#[derive(Debug)]
pub struct Unmounted(Arc<()>);

impl Site {
    /// Requests that come from now on for `path`, such as `/shop` or `/`, and for what is below it go to `router`,
    /// which sees their full paths. Gives what was there before.
    pub fn mount(&self, path: &str, router: Router) -> Option<Unmounted> {
        let running = Arc::new(());
        let mounted = Mounted { path: base(path).into(), router, running };
        self.exchange(base(path), Some(mounted))
    }

    /// From now on nothing is at `path`.
    pub fn unmount(&self, path: &str) -> Option<Unmounted> {
        self.exchange(base(path), None)
    }

    /// Whether something is mounted at `path` itself.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.table.read().iter().any(|mounted| &*mounted.path == base(path))
    }

    /// The service that gives every request to its application.
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

    fn find(&self, path: &str) -> Result<Mounted, Vec<String>> {
        let table = Arc::clone(&self.table.read());
        let found = table.iter().find(|mounted| mounted.has(path)).cloned();
        found.ok_or_else(|| table.iter().map(|mounted| format!("{}/", mounted.path)).collect())
    }
}

impl Unmounted {
    /// Whether no request of it runs any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

impl Mounted {
    /// Whether a path is its own: the context path, or below it.
    fn has(&self, path: &str) -> bool {
        path.strip_prefix(&*self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The path without the slash at its end.
fn base(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// Gives a request to its application.
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
                // The head is there: everything that it committed is.
                drop(running);
                response
            }),
            Err(paths) => Box::pin(ready(Ok(nothing_there(paths)))),
        }
    }
}

/// What is answered where no application is.
fn nothing_there(mut paths: Vec<String>) -> Response {
    paths.sort();
    let words = format!("There is no application at this path. This node has: {}\n", paths.join(", "));
    (StatusCode::NOT_FOUND, words).into_response()
}
