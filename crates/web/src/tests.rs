//! The session layer around small applications, on a node that is alone: each outcome that a request can
//! have.

mod access;
mod answering;
mod client_side;
mod cookies;
mod detached;
mod in_place;
mod late;
mod local;
mod orders;
mod outcomes;
mod remembering;
mod waiting;

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use sessile_core::{Incarnation, Instant, Node, Settings, Timing};
use sessile_group::Channel;
use tower::ServiceExt as _;
use tower_layer::Layer as _;

use super::{Session, SessionError, SessionLayer, SessionSettings};
use crate::Controls;
use sessile_config as config;
use sessile_config::Config;
use sessile_node::NodeByHand;
use sessile_node::host::SessionHost;

const MAX_ACTIVE: u64 = 3;
const COOKIE_KEY: [u8; 32] = [7; 32];

/// A node, and a browser that keeps its cookie.
struct Site {
    engine: NodeByHand,
    host: Arc<SessionHost>,
    layer: SessionLayer,
    cookie: Option<String>,
}

impl Site {
    fn new() -> Self {
        Self::with(usual())
    }

    fn with(settings: SessionSettings) -> Self {
        Self::on(Node::alone, settings)
    }

    /// On a node that `start` makes.
    fn on(start: impl FnOnce(Settings, Instant) -> Node, settings: SessionSettings) -> Self {
        Self::connected(start, settings, None)
    }

    /// The same on one whose frames go there.
    fn connected(
        start: impl FnOnce(Settings, Instant) -> Node,
        settings: SessionSettings,
        channel: Option<Box<dyn Channel>>,
    ) -> Self {
        let engine = NodeByHand::new(|now| start(node_settings(), now), channel);
        let host = engine.host();
        Self { layer: layer(&host, "tc01", settings), engine, host, cookie: None }
    }

    /// Sends `GET /` with the cookie to `app`.
    async fn visit<A, R>(&mut self, app: A) -> Reply
    where
        A: FnOnce(Session) -> R + Clone + Send + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        self.send(Request::get("/").body(Body::empty()).unwrap(), app).await
    }

    async fn send<A, R>(&mut self, mut request: Request<Body>, app: A) -> Reply
    where
        A: FnOnce(Session) -> R + Clone + Send + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
        }
        let reply = send(&self.layer, request, app).await;
        if let Some(set) = &reply.set_cookie {
            self.cookie = Some(set.split(';').next().unwrap().to_owned());
        }
        reply
    }

    /// The value of the attribute `name`, as the next request reads it.
    async fn text(&mut self, name: &'static str) -> Option<String> {
        let reply = self.visit(async move |session| answer(session.get::<String>(name).unwrap())).await;
        serde_json::from_str(&reply.body).unwrap()
    }
}

/// The settings of an application at `/` under the default configuration.
fn usual() -> SessionSettings {
    let config = Config::default();
    SessionSettings::new(&config, "/", &config.session).unwrap()
}

/// The usual settings, with other ones for the sessions.
fn sessions(change: impl FnOnce(&mut config::Session)) -> SessionSettings {
    let mut settings = usual();
    change(&mut settings.session);
    settings
}

fn node_settings() -> Settings {
    let mut settings = Settings::new(Incarnation(1), "tc01");
    settings.bounds.max_active = MAX_ACTIVE;
    settings
}

/// What a client sees.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    response: Response<()>,
    set_cookie: Option<String>,
    body: String,
}

fn controls() -> Arc<Controls> {
    Arc::new(Controls::new(COOKIE_KEY.into(), true))
}

fn layer(host: &Arc<SessionHost>, node_name: &str, settings: SessionSettings) -> SessionLayer {
    SessionLayer::new(Arc::clone(host), node_name, controls(), settings, Arc::default())
}

async fn send<A, R>(layer: &SessionLayer, request: Request<Body>, app: A) -> Reply
where
    A: FnOnce(Session) -> R + Clone + Send + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let inner = tower::service_fn(move |request: Request<Body>| {
        let answered = app.clone()(request.extensions().get::<Session>().unwrap().clone());
        async move { Ok::<_, std::convert::Infallible>(answered.await) }
    });
    let (parts, body) = layer.layer(inner).oneshot(request).await.unwrap().into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let mut cookies =
        parts.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned());
    let set_cookie = cookies.next();
    assert_eq!(cookies.next(), None, "one cookie at most");
    Reply { status: parts.status, response: Response::from_parts(parts, ()), set_cookie, body }
}

/// A 200 that holds `value` as JSON.
fn answer(value: impl serde::Serialize) -> Response<Body> {
    Response::new(Body::from(serde_json::to_string(&value).unwrap()))
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
