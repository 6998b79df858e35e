//! The sample application: writes values of any size into a session, reads them back, and reports the
//! answering node.
//!
//! A program gets JSON and a browser gets a page, both from the same result. Path of a request: `render` is
//! the outermost service, because the receipt is known only after the session layer. It first offers the
//! request to `measuring`, which answers requests that must not touch a session. `command` works on the
//! session and returns a `CommandResult`; a form is answered by a redirect to the page, which `page` renders
//! as HTML with the form's `outcome`. `payload` creates the values, `listener` logs changes of the sessions.
//!
//! Must not know: cookies, secrets, replication.

mod accept;
mod command;
mod command_result;
mod error;
mod listener;
mod measuring;
mod outcome;
mod page;
mod parameters;
pub mod payload;
mod render;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use sessile::config::App;
use sessile::events::Listening;
use sessile::status::AppView;
use sessile::{Cluster, IdempotencyLayer, SessionLayer};
use tower::ServiceBuilder;
use tower::util::AndThenLayer;

use render::Rendering;

/// State shared by all requests of one mounted application.
struct ClusterappState {
    cluster: Cluster,
    /// The node's view of this application's sessions.
    view: AppView,
    /// The layer of those sessions.
    sessions: SessionLayer,
    /// The context path without a slash at its end: empty when mounted at `/`.
    base_path: String,
    diagnostics: bool,
    /// Logs changes of the sessions.
    _listening: Option<Listening>,
}

/// The application with its full paths (`/clusterapp/`, `/clusterapp/session`, …): merge it into a node's
/// router.
///
/// Its sessions are those of `layer`. `app` gives the mount path and whether diagnostics are answered.
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
    let site = Arc::new(ClusterappState {
        cluster: cluster.clone(),
        _listening: listener::listen(&view),
        view,
        sessions: layer.clone(),
        base_path,
        diagnostics: app.diagnostics,
    });
    let rendering = Rendering(Arc::clone(&site));
    // A refused request reaches the session layer as an error, so nothing is committed, not even its
    // idempotency key.
    let sessions = ServiceBuilder::new()
        .layer(rendering.clone())
        .layer(layer)
        .layer(AndThenLayer::new(error::refuse))
        .layer(IdempotencyLayer::new());
    pages.layer(sessions).route(&stats, get(measuring::stats).layer(rendering)).with_state(site)
}
