//! Two nodes with one application, and a browser that goes from one to the other.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::get;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use sessile::config::MembershipKind;
use sessile::{Cluster, ClusterSecrets, Config, SessionLayer};
use sessile_tower_sessions::SessileStore;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::sync::Barrier;
use tower::ServiceExt as _;
use tower_sessions::session::Error;
use tower_sessions::{Expiry, Session, SessionManagerLayer};

/// Longest wait for any condition; far above what a working cluster needs.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A placeholder without a server: a list of members needs at least one.
const NOBODY: &str = "127.0.0.1:1";

/// One node, with what a test wants of it.
pub(crate) struct Node {
    pub(crate) cluster: Cluster,
    pub(crate) layer: SessionLayer,
    pub(crate) store: SessileStore,
    /// A barrier at which two requests wait for each other after reading and before writing.
    meeting: Arc<Barrier>,
    _directory: Arc<TempDir>,
}

pub(crate) async fn pair() -> (Node, Node) {
    pair_with(|_| ()).await
}

/// Two nodes whose configurations `change` has changed.
pub(crate) async fn pair_with(change: impl Fn(&mut Config)) -> (Node, Node) {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let secret_file = directory.path().join("cluster.secret");
    ClusterSecrets::load_or_create(&secret_file).unwrap();
    let meeting = Arc::new(Barrier::new(2));
    let node = async |name: &str, known: &str| {
        let mut config = Config::default();
        config.node.name = name.to_owned();
        config.cluster.secret_file = secret_file.clone();
        config.receiver.listen = ([127, 0, 0, 1], 0).into();
        config.membership.kind = MembershipKind::Static;
        config.membership.members = vec![known.parse().unwrap()];
        config.membership.drop_time = Duration::from_secs(15);
        change(&mut config);
        let cluster = tokio::time::timeout(LIMIT, Cluster::join(config)).await.unwrap().unwrap();
        let layer = cluster.session_layer();
        let store = SessileStore::new(&layer);
        Node { cluster, layer, store, meeting: Arc::clone(&meeting), _directory: Arc::clone(&directory) }
    };
    let one = node("tc01", NOBODY).await;
    let other = node("tc02", &one.cluster.members()[0].address).await;
    (one, other)
}

impl Node {
    /// The stock layer, as an application makes it.
    pub(crate) fn manager(&self) -> SessionManagerLayer<SessileStore> {
        SessionManagerLayer::new(self.store.clone())
    }

    /// The application, and around it what the documentation says.
    pub(crate) fn app(&self) -> Router {
        self.app_with(self.manager()).layer(self.store.request_layer())
    }

    /// The application in the stock layer alone.
    pub(crate) fn app_with(&self, manager: SessionManagerLayer<SessileStore>) -> Router {
        routes(Arc::clone(&self.meeting)).layer(manager)
    }
}

fn routes(meeting: Arc<Barrier>) -> Router {
    Router::new()
        .route("/", get(async |_: Session| "hello"))
        .route("/set/{name}/{value}", get(set))
        .route("/get/{name}", get(read))
        .route("/remove/{name}", get(remove))
        .route("/meet/set/{name}", get(set_after_meeting))
        .route("/meet/remove/{name}", get(remove_after_meeting))
        .route("/meet", get(meet))
        .route("/cycle", get(async |session: Session| session.cycle_id().await.unwrap()))
        .route("/flush", get(async |session: Session| session.flush().await.unwrap()))
        .route("/expire/tomorrow", get(async |session: Session| session.set_expiry(Some(tomorrow()))))
        .route("/expire/now", get(async |session: Session| session.set_expiry(Some(past()))))
        .route("/expire/never", get(async |session: Session| session.set_expiry(Some(Expiry::OnSessionEnd))))
        .with_state(meeting)
}

fn tomorrow() -> Expiry {
    Expiry::AtDateTime(OffsetDateTime::now_utc() + time::Duration::DAY)
}

fn past() -> Expiry {
    Expiry::AtDateTime(OffsetDateTime::now_utc() - time::Duration::DAY)
}

async fn set(session: Session, Path((name, value)): Path<(String, String)>) {
    session.insert(&name, value).await.unwrap();
}

async fn read(session: Session, Path(name): Path<String>) -> Result<String, StatusCode> {
    let broken = |_: Error| StatusCode::INTERNAL_SERVER_ERROR;
    Ok(session.get::<String>(&name).await.map_err(broken)?.unwrap_or_default())
}

async fn remove(session: Session, Path(name): Path<String>) {
    session.remove::<String>(&name).await.unwrap();
}

/// Waits after reading its session until the other request has read or allows it.
async fn meet_twice(meeting: &Barrier) {
    meeting.wait().await;
    meeting.wait().await;
}

async fn meet(State(meeting): State<Arc<Barrier>>) {
    meeting.wait().await;
}

async fn set_after_meeting(session: Session, State(meeting): State<Arc<Barrier>>, Path(name): Path<String>) {
    session.get_value(&name).await.unwrap();
    meet_twice(&meeting).await;
    session.insert(&name, "met").await.unwrap();
}

async fn remove_after_meeting(
    session: Session,
    State(meeting): State<Arc<Barrier>>,
    Path(name): Path<String>,
) {
    session.get_value(&name).await.unwrap();
    meet_twice(&meeting).await;
    session.remove_value(&name).await.unwrap();
}

/// Keeps its cookie from answer to answer.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    /// `name=value`.
    pub(crate) cookie: Option<String>,
}

/// A response as seen by a browser.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn with_cookie(cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()) }
    }

    pub(crate) async fn get(&mut self, app: &Router, path: &str) -> Reply {
        let mut request = Request::get(path);
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = tokio::time::timeout(LIMIT, app.clone().oneshot(request)).await;
        let (parts, body) = answer.expect("an answer in time").unwrap().into_parts();
        let reply = Reply {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        };
        if let Some(set) = reply.set_cookie() {
            let pair = set.split(';').next().unwrap().to_owned();
            self.cookie = Some(pair).filter(|pair| !pair.ends_with('='));
        }
        reply
    }

    /// As [`get`](Self::get), with a 200 and its body.
    pub(crate) async fn ok(&mut self, app: &Router, path: &str) -> String {
        let reply = self.get(app, path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {reply:?}");
        reply.body
    }
}

impl Reply {
    pub(crate) fn set_cookie(&self) -> Option<&str> {
        Some(self.headers.get(SET_COOKIE)?.to_str().unwrap())
    }

    /// An attribute of the cookie that it sets: `Some("")` for one without a value.
    pub(crate) fn cookie_attribute(&self, name: &str) -> Option<&str> {
        let attributes = self.set_cookie()?.split("; ").skip(1);
        attributes
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find_map(|(given, value)| (given == name).then_some(value))
    }

    pub(crate) fn max_age(&self) -> Option<u64> {
        self.cookie_attribute("Max-Age").map(|seconds| seconds.parse().unwrap())
    }
}
