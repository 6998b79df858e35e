//! Nodes in this process, each with the application.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use tower_service::Service as _;

use super::Browser;
use crate::config::Config;
use crate::seams::InProcess;
use crate::{Cluster, SessionLayer};

/// A process that does nothing else may be stopped for so long and is still a member.
const DROP_TIME: Duration = Duration::from_secs(15);
/// Longest wait for the nodes to know each other.
const MEET_TIME: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The session layer of a node that is alone, for a test of one service. It has no file and no port; it ends
/// with the layer and the runtime.
///
/// # Panics
/// If the node cannot start.
pub async fn session_layer() -> SessionLayer {
    start(0, &InProcess::default(), &|_| ()).await.session_layer()
}

/// Nodes in this process, named `tc01`, `tc02` and so on, each with its own copy of the application.
#[derive(Debug)]
pub struct TestCluster {
    nodes: Vec<Option<Node>>,
}

#[derive(Debug)]
struct Node {
    cluster: Cluster,
    app: Router,
}

impl TestCluster {
    /// So many nodes, which are members of each other, under the default configuration. `app` makes the
    /// application of each.
    ///
    /// # Panics
    /// If a node cannot start.
    pub async fn start(nodes: usize, app: impl Fn(&Cluster) -> Router) -> Self {
        Self::configured(nodes, |_| (), app).await
    }

    /// The same with what `change` does to the configuration of each.
    ///
    /// # Panics
    /// If a node cannot start with it.
    pub async fn configured(
        nodes: usize,
        change: impl Fn(&mut Config),
        app: impl Fn(&Cluster) -> Router,
    ) -> Self {
        let network = InProcess::default();
        let mut started = Vec::new();
        for number in 0..nodes {
            let cluster = start(number, &network, &change).await;
            started.push(Some(Node { app: app(&cluster), cluster }));
        }
        let all = Self { nodes: started };
        for number in 0..nodes {
            all.sees(number, nodes).await;
        }
        all
    }

    /// A node.
    ///
    /// # Panics
    /// If there is no such node, or it was killed.
    pub fn node(&self, number: usize) -> &Cluster {
        &self.alive(number).cluster
    }

    /// Hands a request to the application of a node, as it is.
    ///
    /// # Panics
    /// If there is no such node, or it was killed.
    pub async fn request(&self, number: usize, request: Request<Body>) -> Response {
        let mut app = self.alive(number).app.clone();
        match app.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// The same with the browser's cookies, which then takes those of the answer. The request's URI names
    /// scheme and host.
    ///
    /// # Panics
    /// If there is no such node, or it was killed.
    pub async fn visit(&self, number: usize, browser: &mut Browser, mut request: Request<Body>) -> Response {
        browser.send(&mut request);
        let uri = request.uri().clone();
        let response = self.request(number, request).await;
        browser.receive(&uri, &response);
        response
    }

    /// The node is gone, as after kill -9: it says nothing to anybody, and what only it had is lost.
    pub fn kill(&mut self, number: usize) {
        self.nodes[number] = None;
    }

    /// Waits until a node has so many members, itself included.
    ///
    /// # Panics
    /// If that does not happen within twenty seconds.
    pub async fn sees(&self, number: usize, members: usize) {
        let node = self.node(number);
        let met = async {
            while node.members().len() != members {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let met = tokio::time::timeout(MEET_TIME, met).await;
        assert!(met.is_ok(), "{} does not have {members} members: {:?}", node.name(), node.members());
    }

    fn alive(&self, number: usize) -> &Node {
        let node = self.nodes.get(number).and_then(Option::as_ref);
        node.unwrap_or_else(|| panic!("node {number} was killed, or never was"))
    }
}

async fn start(number: usize, network: &InProcess, change: &impl Fn(&mut Config)) -> Cluster {
    let mut config = Config::default();
    config.node.name = format!("tc{:02}", number + 1);
    // Without a file; nobody but this process can reach the channel.
    config.cluster.insecure = true;
    config.membership.drop_time = DROP_TIME;
    change(&mut config);
    let network = network.clone();
    let joining = Cluster::builder(config).channel(move |identity| network.join(identity)).join().await;
    joining.unwrap_or_else(|error| panic!("a node of the test does not start: {error}"))
}
