//! The sample application: puts values of any size into a session, reads them back, and says which node answered.
//!
//! A program gets JSON and a browser gets a page, both from the same facts. The way of a request: `render` is the
//! outermost and the last to act, because only after the session layer is the receipt known, and it asks `measuring` first,
//! which takes what must not touch a session; `command` works on the session and answers with an `Answer`; `page` draws it.
//! `payload` makes the values, `listener` logs what happens to the sessions.
//!
//! Must not know: cookies, secrets, how a session reaches another node.

mod accept;
mod answer;
mod command;
mod listener;
mod measuring;
mod origin;
mod page;
mod parameters;
pub mod payload;
mod problem;
mod render;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use sessile::config::App;
use sessile::{AppView, Cluster, Listening, SessionLayer};
use tower::ServiceBuilder;
use tower::util::AndThenLayer;

use render::Rendering;

/// What all requests of one mounted application share.
struct Site {
    cluster: Cluster,
    /// What the node holds of this application's sessions.
    view: AppView,
    /// The context path without a slash at its end: empty when mounted at `/`.
    base_path: String,
    diagnostics: bool,
    /// Logs what happens to the sessions.
    _listening: Option<Listening>,
}

/// The application with its full paths (`/clusterapp/`, `/clusterapp/session`, …): merge it into a node's router.
///
/// Its sessions are those of `layer`. `app` says where it is mounted and whether it answers what measures it.
pub fn router(cluster: &Cluster, app: &App, layer: SessionLayer) -> Router {
    let base_path = app.path.trim_end_matches('/').to_owned();
    let path = |rest: &str| format!("{base_path}{rest}");
    let mut pages = Router::new()
        .route(&path("/"), get(command::page))
        .route(&path("/session"), get(command::run).post(command::run));
    if !base_path.is_empty() {
        pages = pages.route(&base_path, get(command::page));
    }
    let stats = path("/stats");
    let view = cluster.look(app.session_path());
    let site = Arc::new(Site {
        cluster: cluster.clone(),
        _listening: listener::listen(&view),
        view,
        base_path,
        diagnostics: app.diagnostics,
    });
    let rendering = Rendering(Arc::clone(&site));
    // A request that the application refuses reaches the layer as an error, so that nothing of it is committed.
    let sessions =
        ServiceBuilder::new().layer(rendering.clone()).layer(layer).layer(AndThenLayer::new(problem::refuse));
    pages.layer(sessions).route(&stats, get(measuring::stats).layer(rendering)).with_state(site)
}
