//! The example's listener on two nodes: what the example promises in its first lines.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[allow(dead_code, unreachable_pub, reason = "the example's own main is not run here")]
#[path = "../examples/listener.rs"]
mod listener;

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use http::header::{COOKIE, SET_COOKIE};
use sessile::config::MembershipKind;
use sessile::events::{Listening, Scope};
use sessile::{Cluster, ClusterSecrets, Config};
use tower::ServiceExt as _;

/// Nothing listens there: a list of members needs at least one.
const NOBODY: &str = "127.0.0.1:1";

/// Longest wait for a line.
const LIMIT: Duration = Duration::from_secs(20);

struct Node {
    cluster: Cluster,
    app: Router,
    lines: Receiver<String>,
    _listening: Listening,
}

impl Node {
    async fn start(name: &str, directory: &Path, known: &str) -> Self {
        let mut config = Config::default();
        config.node.name = name.to_owned();
        config.cluster.secret_file = directory.join("cluster.secret");
        config.receiver.listen = ([127, 0, 0, 1], 0).into();
        config.membership.kind = MembershipKind::Static;
        config.membership.members = vec![known.parse().unwrap()];
        config.membership.drop_time = Duration::from_secs(15);
        let cluster = Cluster::start(config).await.unwrap();
        let (out, lines) = channel();
        let _listening = cluster.listen(Scope::EveryNode, move |told| {
            out.send(listener::line(told)).unwrap();
        });
        cluster.ready().await.unwrap();
        let app = listener::app().layer(cluster.session_layer());
        Self { cluster, app, lines, _listening }
    }

    async fn get(&self, path: &str, cookie: &mut String) {
        let request = Request::get(path).header(COOKIE, cookie.as_str()).body(Body::empty()).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        assert!(response.status().is_success());
        if let Some(set) = response.headers().get(SET_COOKIE) {
            *cookie = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
    }

    /// The next line without the listener's name, the path and the key.
    fn line(&self) -> String {
        let line = self.lines.recv_timeout(LIMIT).unwrap();
        let mut words = line.splitn(4, ' ');
        assert_eq!((words.next(), words.next()), (Some("ClusterAppSessionListener:"), Some("/")), "{line}");
        words.nth(1).unwrap().to_owned()
    }
}

#[tokio::test]
async fn both_nodes_log_each_change() {
    let directory = tempfile::tempdir().unwrap();
    ClusterSecrets::load_or_create(&directory.path().join("cluster.secret")).unwrap();
    let one = Node::start("tc01", directory.path(), NOBODY).await;
    let address = one.cluster.members()[0].address.clone();
    let other = Node::start("tc02", directory.path(), &address).await;
    let mut cookie = String::new();
    one.get("/visit", &mut cookie).await;
    assert_eq!([one.line(), one.line()], ["sessionCreated", "attributeAdded: visits"]);
    assert_eq!([other.line(), other.line()], ["sessionCreated (remote)", "attributeAdded: visits (remote)"]);
    other.get("/visit", &mut cookie).await;
    assert_eq!(
        [one.line(), other.line()],
        ["attributeReplaced: visits (remote)", "attributeReplaced: visits"]
    );
    one.get("/goodbye", &mut cookie).await;
    let ended = "sessionDestroyed: invalidated";
    assert_eq!([one.line(), other.line()], [ended.to_owned(), format!("{ended} (remote)")]);
}
