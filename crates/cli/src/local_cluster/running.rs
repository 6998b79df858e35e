//! A running local cluster: the nodes, the balancer, and the folder of their files.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use sessile::ClusterSecrets;
use sessile_balancer::{BackendMonitor, Balancer, Stopped};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::node::{NodeEvent, NodeProcess};
use super::plan::{ClusterPlan, NodePlan};
use crate::failure::Failure;

/// Capacity of the event channel; further events are in the log files only.
const MAX_NODE_EVENTS: usize = 1_024;
/// Longest wait for a node to open its port.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two polls of a port.
const PAUSE: Duration = Duration::from_millis(2);
/// Most log lines shown when a node does not start.
const SHOWN_LINES: usize = 12;

/// Running nodes and balancer.
pub(crate) struct LocalCluster {
    pub(crate) plan: ClusterPlan,
    pub(crate) monitor: BackendMonitor,
    place: TempDir,
    nodes: BTreeMap<&'static str, NodeProcess>,
    log: &'static str,
    events: mpsc::Sender<NodeEvent>,
    balancer: JoinHandle<Stopped>,
    stop_balancer: oneshot::Sender<()>,
}

impl LocalCluster {
    /// Writes the files, starts the balancer and all nodes, and waits until each node has opened its port.
    /// `log` is the filter of the nodes' logs.
    pub(crate) async fn open(
        plan: ClusterPlan,
        log: &'static str,
    ) -> Result<(Self, mpsc::Receiver<NodeEvent>), Failure> {
        let place = private_directory(&plan)?;
        let balancer = Balancer::bind(plan.balancer_config()).await;
        let balancer = balancer.map_err(|error| Failure::Failed(error.to_string()))?;
        let monitor = balancer.monitor();
        let (stop_balancer, stopped) = oneshot::channel();
        let balancer = tokio::spawn(balancer.run(async {
            // Dropping the sender is a stop request as well.
            let _ = stopped.await;
        }));
        let (events, heard) = mpsc::channel(MAX_NODE_EVENTS);
        let nodes = BTreeMap::new();
        let mut cluster = Self { plan, monitor, place, nodes, log, events, balancer, stop_balancer };
        for node in cluster.plan.nodes.clone() {
            cluster.start(node.name)?;
        }
        for node in cluster.plan.nodes.clone() {
            cluster.port_opened(node.name).await?;
        }
        Ok((cluster, heard))
    }

    /// The folder of configurations and logs; it is removed with the cluster.
    pub(crate) fn place(&self) -> &Path {
        self.place.path()
    }

    /// Addresses and process ids, a line each.
    pub(crate) fn listing(&self) -> String {
        let node = |node: &NodePlan| {
            let id = self.process(node.name).map_or(0, |process| process.id);
            let NodePlan { name, http, replication, admin } = node;
            format!("  {name}  http://{http}  replication {replication}  admin {admin}  process {id}")
        };
        let rest = [
            format!("  files in {}", self.place.path().display()),
            format!("  balancer  http://{}", self.plan.balancer),
        ];
        self.plan.nodes.iter().map(node).chain(rest).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn node(&self, name: &str) -> Option<&NodePlan> {
        self.plan.nodes.iter().find(|node| node.name == name)
    }

    /// The node's process, if it runs.
    pub(crate) fn process(&self, name: &str) -> Option<&NodeProcess> {
        self.nodes.get(name).filter(|node| node.is_alive())
    }

    /// Starts a node that does not run.
    pub(crate) fn start(&mut self, name: &str) -> Result<(), Failure> {
        let Some(plan) = self.node(name).cloned() else { return Ok(()) };
        let started = NodeProcess::start(&plan, self.place.path(), self.log, self.events.clone());
        let node = started.map_err(|error| Failure::Failed(format!("{name} cannot be started: {error}")))?;
        self.nodes.insert(plan.name, node);
        Ok(())
    }

    /// Kills a node (SIGKILL).
    pub(crate) async fn kill(&mut self, name: &str) {
        if let Some(node) = self.nodes.get_mut(name) {
            node.kill().await;
        }
    }

    /// Waits until the node has received the state and opened its HTTP port; returns the duration.
    pub(crate) async fn port_opened(&self, name: &str) -> Result<Duration, Failure> {
        let (Some(plan), began) = (self.node(name), Instant::now()) else { return Ok(Duration::ZERO) };
        let lives = || self.process(name).is_some();
        match until_open(plan.http, lives, began).await {
            true => Ok(began.elapsed()),
            false => {
                Err(Failure::Failed(format!("{name} does not serve; its log ends with\n{}", self.tail(name))))
            }
        }
    }

    /// Stops the balancer and the nodes, and removes the files.
    pub(crate) async fn close(self) {
        drop(self.stop_balancer);
        for (_, node) in self.nodes {
            node.stop().await;
        }
        self.balancer.abort();
    }

    fn tail(&self, name: &str) -> String {
        let log = std::fs::read_to_string(self.place().join(format!("{name}.log"))).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(SHOWN_LINES).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// Whether the port opened in time, while its node was running.
async fn until_open(port: SocketAddr, lives: impl Fn() -> bool, began: Instant) -> bool {
    while lives() && began.elapsed() < START_PATIENCE {
        if TcpStream::connect(port).await.is_ok() {
            return true;
        }
        sleep(PAUSE).await;
    }
    false
}

/// A private folder with the configurations and the secret.
pub(crate) fn private_directory(plan: &ClusterPlan) -> Result<TempDir, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        let place = std::env::temp_dir();
        Failure::Failed(format!(
            "{}: no directory for the nodes: {error}; set TMPDIR to one",
            place.display()
        ))
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix("sessile-cluster-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    let place = builder.tempdir().map_err(|error| failed(&error))?;
    for node in &plan.nodes {
        let file = place.path().join(format!("{}.toml", node.name));
        std::fs::write(file, plan.configuration(node)).map_err(|error| failed(&error))?;
    }
    ClusterSecrets::create(&place.path().join("cluster.secret")).map_err(|error| failed(&error))?;
    Ok(place)
}
