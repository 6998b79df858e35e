//! Targets of requests: the nodes by name, and the balancer.

use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::sleep;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::local_cluster::ClusterPlan;

/// Longest wait for a node's name.
const PATIENCE: Duration = Duration::from_secs(30);
/// Name of the whole cluster if no node is named.
pub(super) const UNNAMED: &str = "the cluster";
/// Pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// A clusterapp, by its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(super) at: SocketAddr,
}

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    pub(super) nodes: Vec<(String, SocketAddr)>,
    pub(super) balancer: Option<SocketAddr>,
    pub(super) patience: Duration,
}

/// A node's own statistics.
#[derive(Debug, Deserialize)]
pub(super) struct Stats {
    pub(super) node: String,
    /// Number of other members that it sees.
    pub(super) members: usize,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let place = url.strip_prefix("http://").ok_or("begin with http://")?;
        let (host, path) = place.split_once('/').unwrap_or((place, "clusterapp"));
        if !["", "clusterapp"].contains(&path.trim_end_matches('/')) {
            return Err(format!("/{path}: clusterapp has to be mounted at /clusterapp"));
        }
        let host = if host.rsplit_once(':').is_some() { host.to_owned() } else { format!("{host}:80") };
        let mut found = host.to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
        found.next().map(|at| Self { at }).ok_or_else(|| format!("{host}: no address"))
    }
}

impl Targets {
    /// Targets of a cluster started by the drill.
    pub(super) fn of(plan: &ClusterPlan, patience: Duration) -> Self {
        let nodes = plan.nodes.iter().map(|node| (node.name.to_owned(), node.http)).collect();
        Self { nodes, balancer: Some(plan.balancer), patience }
    }

    /// Asks the nodes for their names.
    pub(super) async fn ask(
        nodes: &[Target],
        balancer: Option<SocketAddr>,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let mut named = Vec::new();
        for Target { at } in nodes {
            let name = name_of(*at).await?;
            if named.iter().any(|(known, _)| *known == name) {
                return Err(Failure::Usage(format!(
                    "http://{at}: {name} was named already; name each node once"
                )));
            }
            named.push((name, *at));
        }
        Ok(Self { nodes: named, balancer, patience })
    }

    /// Names of the nodes, or one name for the cluster behind the balancer.
    pub(super) fn names(&self) -> Vec<String> {
        if self.nodes.is_empty() {
            return vec![UNNAMED.to_owned()];
        }
        self.nodes.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The address at which each of [`names`](Self::names) is read.
    pub(super) fn readable(&self) -> Vec<(String, SocketAddr)> {
        let whole = self.balancer.filter(|_| self.nodes.is_empty()).map(|at| (UNNAMED.to_owned(), at));
        self.nodes.iter().cloned().chain(whole).collect()
    }

    /// Every target of requests.
    pub(super) fn doors(&self) -> Vec<SocketAddr> {
        let nodes = self.nodes.iter().map(|(_, at)| *at);
        // The balancer gets as many requests as all nodes together.
        let through = self.balancer.into_iter().flat_map(|at| vec![at; self.nodes.len().max(1)]);
        nodes.chain(through).collect()
    }
}

async fn name_of(at: SocketAddr) -> Result<String, Failure> {
    let began = Instant::now();
    loop {
        match Stats::ask(&mut Connection::new(at)).await {
            Ok(stats) => return Ok(stats.node),
            Err(why) if began.elapsed() > PATIENCE => {
                return Err(Failure::Failed(format!(
                    "http://{at}/clusterapp/stats: {why}; [[app]] builtin = \"clusterapp\" with diagnostics = true \
                     answers there"
                )));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

impl Stats {
    /// Asks a node for its statistics; the error quotes another answer.
    pub(super) async fn ask(connection: &mut Connection) -> Result<Self, String> {
        let answer = connection.send(Method::GET, "/clusterapp/stats", None).await;
        let answer = answer.map_err(|none| none.to_string())?;
        if answer.status != StatusCode::OK {
            return Err(answer.words());
        }
        serde_json::from_slice(&answer.body).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_parses_a_clusterapp_url() {
        for url in ["http://127.0.0.1:9080", "http://127.0.0.1:9080/", "http://127.0.0.1:9080/clusterapp/"] {
            assert_eq!(url.parse(), Ok(Target { at: "127.0.0.1:9080".parse().unwrap() }), "{url}");
        }
        for url in ["127.0.0.1:9080", "https://127.0.0.1", "http://127.0.0.1:9080/shop"] {
            assert!(url.parse::<Target>().is_err(), "{url}");
        }
    }
}
