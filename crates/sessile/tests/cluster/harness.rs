//! Nodes with an application, and browsers that keep their cookie.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use http::header::{COOKIE, RETRY_AFTER, SET_COOKIE};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use sessile::config::MembershipKind;
use sessile::config::SettingError;
use sessile::store::Store;
use sessile::{Cluster, ClusterSecrets, Config, Receipt, Session, SessionError, SessionLayer};
use tempfile::TempDir;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use crate::shelf::Shelf;

/// Longest wait for any condition; far above what a working cluster needs.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Nothing listens there: a list of members needs at least one.
const NOBODY: &str = "127.0.0.1:1";

/// What all nodes of one test share.
#[derive(Clone)]
pub(crate) struct Town {
    directory: Arc<TempDir>,
    change: Arc<dyn Fn(&mut Config) + Send + Sync>,
}

impl Town {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    /// Every node's configuration is changed by `change` before it joins.
    pub(crate) fn with(change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        ClusterSecrets::load_or_create(&directory.path().join("cluster.secret")).unwrap();
        Self { directory: Arc::new(directory), change: Arc::new(change) }
    }

    pub(crate) fn secret_file(&self) -> PathBuf {
        self.directory.path().join("cluster.secret")
    }

    /// A node's configuration; it looks for others at `known` alone, and others find it by calling there.
    pub(crate) fn config(&self, name: &str, known: &[&Node]) -> Config {
        let mut config = Config::default();
        config.node.name = name.to_owned();
        config.cluster.secret_file = self.secret_file();
        config.receiver.listen = ([127, 0, 0, 1], 0).into();
        config.membership.kind = MembershipKind::Static;
        let addresses = known
            .iter()
            .map(|node| node.address())
            .filter(|address| !address.is_empty())
            .chain([NOBODY.to_owned()]);
        config.membership.members = addresses.map(|address| address.parse().unwrap()).collect();
        config.membership.drop_time = Duration::from_secs(15);
        (self.change)(&mut config);
        config
    }

    pub(crate) async fn node(&self, name: &str, known: &[&Node]) -> Node {
        Node::join(self.config(name, known)).await
    }

    /// A node that keeps its sessions in `store`.
    pub(crate) async fn node_on(&self, store: &Arc<Shelf>, name: &str, known: &[&Node]) -> Node {
        let builder = Cluster::builder(self.config(name, known)).store(Arc::clone(store) as Arc<dyn Store>);
        let cluster = tokio::time::timeout(LIMIT, builder.join()).await.expect("joins in time").unwrap();
        Node { app: app().layer(cluster.session_layer()), cluster }
    }

    /// A node on a file store that another one, which was dropped, may still hold for a moment.
    pub(crate) async fn node_again(&self, name: &str, known: &[&Node]) -> Node {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            match Cluster::join(self.config(name, known)).await {
                Ok(cluster) => return Node { app: app().layer(cluster.session_layer()), cluster },
                Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn pair(&self) -> (Node, Node) {
        let one = self.node("tc01", &[]).await;
        let other = self.node("tc02", &[&one]).await;
        (one, other)
    }
}

/// One node with the application.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) cluster: Cluster,
    pub(crate) app: Router,
}

impl Node {
    pub(crate) async fn join(config: Config) -> Self {
        let joining = Cluster::join(config);
        let cluster = tokio::time::timeout(LIMIT, joining).await.expect("joins in time").unwrap();
        Self { app: app().layer(cluster.session_layer()), cluster }
    }

    /// The same node with the application behind another layer.
    pub(crate) fn with_layer(&self, layer: Result<SessionLayer, SettingError>) -> Self {
        Self { app: app().layer(layer.unwrap()), cluster: self.cluster.clone() }
    }

    pub(crate) fn address(&self) -> String {
        self.cluster.members()[0].address.clone()
    }

    /// The names of the members that it sees, sorted.
    pub(crate) fn sees(&self) -> Vec<String> {
        let mut names: Vec<_> = self.cluster.members().into_iter().map(|member| member.name).collect();
        names.sort();
        names
    }

    /// The value of a metric that has no labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.cluster.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    /// Waits until this is the answer.
    pub(crate) async fn until_answers(&self, browser: &Browser, path: &str, wanted: &str) {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let found = browser.clone().ok(self, path).await;
            if found == wanted {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{path}: {found:?}, not {wanted:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + LIMIT;
        while !holds(self) {
            assert!(tokio::time::Instant::now() < deadline, "{what}: not within {LIMIT:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn app() -> Router {
    Router::new()
        .route("/set/{name}/{value}", get(set))
        .route("/large/{name}/{bytes}", get(large))
        .route("/get/{name}", get(read))
        .route("/remove/{name}", get(remove))
        .route("/owner", get(owner))
        .route("/login", get(login))
        .route("/logout", get(logout))
        .route("/slow/{name}", get(slow))
        .route("/through/{name}/{value}", get(set).route_layer(middleware::from_fn(save_through)))
}

async fn set(session: Session, Path((name, value)): Path<(String, String)>) -> Result<(), SessionError> {
    session.set(&name, &value)
}

/// The routes behind this wait for the store.
async fn save_through(
    session: Session,
    request: axum::extract::Request,
    next: Next,
) -> Result<Response, SessionError> {
    session.save_through()?;
    Ok(next.run(request).await)
}

/// Writes a value of that size.
async fn large(session: Session, Path((name, bytes)): Path<(String, usize)>) -> Result<(), SessionError> {
    session.set(&name, &"x".repeat(bytes))
}

/// What a test and the handler of a slow request tell each other.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    pub(crate) entered: Arc<Notify>,
    pub(crate) go_on: Arc<Notify>,
}

/// Holds its request open until the test lets it go on, then writes.
async fn slow(
    session: Session,
    Path(name): Path<String>,
    Extension(gate): Extension<Gate>,
) -> Result<(), SessionError> {
    gate.entered.notify_one();
    gate.go_on.notified().await;
    session.set(&name, "slow")
}

async fn read(session: Session, Path(name): Path<String>) -> Result<String, SessionError> {
    Ok(session.get::<String>(&name)?.unwrap_or_default())
}

async fn remove(session: Session, Path(name): Path<String>) -> Result<String, SessionError> {
    Ok(session.remove(&name)?.to_string())
}

async fn owner(session: Session) -> String {
    session.is_owner().to_string()
}

async fn login(session: Session) -> Result<(), SessionError> {
    session.set_principal(Some("ada"), Some("form"))?;
    session.change_id()
}

async fn logout(session: Session) -> Result<String, SessionError> {
    Ok(session.invalidate()?.to_string())
}

/// What a client sees.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) cookie: Option<String>,
    pub(crate) unprocessed: bool,
    pub(crate) retry_after: bool,
}

/// Keeps the session's cookie from answer to answer.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    pub(crate) cookie: Option<String>,
}

impl Browser {
    /// As a balancer does it, what a node did not process is sent again.
    pub(crate) async fn get(&mut self, node: &Node, path: &str) -> Reply {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let reply = self.get_once(node, path).await;
            if !reply.unprocessed {
                return reply;
            }
            assert!(tokio::time::Instant::now() < deadline, "{path}: {reply:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn get_once(&mut self, node: &Node, path: &str) -> Reply {
        self.get_held(node, path, &Gate::default()).await
    }

    /// A request whose handler, if it is slow, waits at `gate`.
    pub(crate) async fn get_held(&mut self, node: &Node, path: &str, gate: &Gate) -> Reply {
        let mut request = Request::get(path).extension(gate.clone());
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = tokio::time::timeout(LIMIT, node.app.clone().oneshot(request)).await;
        let response = answer.expect("an answer in time").unwrap();
        let receipt = response.extensions().get::<Receipt>().copied();
        let set = response.headers().get(SET_COOKIE).map(|value| value.to_str().unwrap().to_owned());
        let cookie = set.map(|set| set.split(';').next().unwrap().to_owned());
        let status = response.status();
        let unprocessed = response.headers().contains_key("sessile-unprocessed");
        let retry_after = response.headers().contains_key(RETRY_AFTER);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        if let Some(cookie) = &cookie {
            self.cookie = Some(cookie.clone()).filter(|cookie| !cookie.ends_with('='));
        }
        Reply {
            status,
            body: String::from_utf8(body.to_vec()).unwrap(),
            receipt,
            cookie,
            unprocessed,
            retry_after,
        }
    }

    /// As [`get`](Self::get), with a 200 and its body.
    pub(crate) async fn ok(&mut self, node: &Node, path: &str) -> String {
        let reply = self.get(node, path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {reply:?}");
        reply.body
    }
}
