//! What the examples of replaced parts share: a cart behind a session layer, and a browser that keeps its
//! cookie.
#![allow(dead_code, reason = "each example uses a part of it")]

use std::error::Error;
use std::path::Path as FilePath;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Path;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderValue, Request};
use axum::routing::get;
use sessile::{Cluster, ClusterSecrets, Config, Receipt, Session, SessionError};
use tower::ServiceExt as _;

/// What an example returns.
pub(crate) type Done = Result<(), Box<dyn Error + Send + Sync>>;

/// A node's configuration, with the cluster's secret in `directory` and a free port for the other members.
pub(crate) fn config(name: &str, directory: &FilePath) -> Result<Config, Box<dyn Error + Send + Sync>> {
    let mut config = Config::default();
    config.node.name = name.to_owned();
    config.cluster.secret_file = directory.join("cluster.secret");
    ClusterSecrets::load_or_create(&config.cluster.secret_file)?;
    config.receiver.listen = ([127, 0, 0, 1], 0).into();
    config.membership.frequency = Duration::from_millis(100);
    config.membership.drop_time = Duration::from_secs(15);
    Ok(config)
}

/// The application on one node.
pub(crate) fn app(cluster: &Cluster) -> Router {
    Router::new().route("/add/{item}", get(add)).route("/cart", get(cart)).layer(cluster.session_layer())
}

async fn add(session: Session, Path(item): Path<String>) -> Result<String, SessionError> {
    let mut items: Vec<String> = session.get("cart")?.unwrap_or_default();
    items.push(item);
    session.set("cart", &items)?;
    Ok(items.join(", "))
}

async fn cart(session: Session) -> Result<String, SessionError> {
    Ok(session.get::<Vec<String>>("cart")?.unwrap_or_default().join(", "))
}

/// Visits any node with the cookie that it was given last.
#[derive(Default)]
pub(crate) struct Browser {
    cookie: Option<HeaderValue>,
}

/// What a page showed.
pub(crate) struct Page {
    pub(crate) text: String,
    /// How many copies hold what the request wrote.
    pub(crate) receipt: Option<Receipt>,
}

impl Browser {
    pub(crate) async fn visit(
        &mut self,
        node: &Cluster,
        path: &str,
    ) -> Result<Page, Box<dyn Error + Send + Sync>> {
        let mut request = Request::get(path).body(Body::empty())?;
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(COOKIE, cookie.clone());
        }
        let response = app(node).oneshot(request).await?;
        if let Some(cookie) = response.headers().get(SET_COOKIE) {
            self.cookie = Some(cookie.to_str()?.split(';').next().unwrap_or_default().parse()?);
        }
        let receipt = response.extensions().get::<Receipt>().copied();
        let body = to_bytes(response.into_body(), 1 << 20).await?;
        Ok(Page { text: String::from_utf8(body.to_vec())?, receipt })
    }
}
