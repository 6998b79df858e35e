//! The applications of a node, each at its context path.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use sessile::config::Builtin;
use sessile::{Cluster, SettingError};
use sessile_apps::clusterapp;
use tower_service::Service;

/// An application and where it is mounted.
struct Mounted {
    /// Empty for the one at `/`.
    path: String,
    router: Router,
}

/// The longest paths first, so that an application below another one is found.
type Site = Arc<[Mounted]>;

/// Everything that the node's configuration mounts.
pub(crate) fn router(cluster: &Cluster) -> Result<Router, SettingError> {
    let mut site: Vec<Mounted> = Vec::new();
    for app in &cluster.config().apps {
        let layer = cluster.app_layer(app)?;
        let router = match app.builtin {
            Builtin::Clusterapp => clusterapp::router(cluster, app, layer),
        };
        site.push(Mounted { path: app.path.trim_end_matches('/').to_owned(), router });
    }
    site.sort_by_key(|mounted| std::cmp::Reverse(mounted.path.len()));
    Ok(Router::new().fallback(dispatch).with_state(Site::from(site)))
}

impl Mounted {
    /// Whether a path is its own: the context path, or below it.
    fn has(&self, path: &str) -> bool {
        path.strip_prefix(&self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

async fn dispatch(State(site): State<Site>, request: Request) -> Response {
    let Some(mounted) = site.iter().find(|mounted| mounted.has(request.uri().path())) else {
        let mut paths: Vec<_> = site.iter().map(|mounted| format!("{}/", mounted.path)).collect();
        paths.sort();
        let words = format!("There is no application at this path. This node has: {}\n", paths.join(", "));
        return (StatusCode::NOT_FOUND, words).into_response();
    };
    match mounted.router.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
