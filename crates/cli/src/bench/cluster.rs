//! Nodes for a measurement: real processes of this very program on free loopback ports, found by a static list.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use clap::Args;
use sessile::{ClusterSecrets, Config};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::metrics::Metrics;
use crate::demo::node::{News, NodeProcess};
use crate::demo::sample::NodePlan;
use crate::failure::Failure;

/// The names of the nodes; there are never more.
const NAMES: [&str; 8] = ["tc01", "tc02", "tc03", "tc04", "tc05", "tc06", "tc07", "tc08"];
/// What the nodes log: only what is wrong, so that logging is not what is measured.
const LOG: &str = "warn";
/// Longest wait until a node serves, and until it sees the others.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(2);
/// Nobody reads the news of nodes here; their logs keep them.
const MAX_NEWS: usize = 1;

/// How the nodes of a measurement replicate.
#[derive(Debug, Clone, Args)]
pub(super) struct Replication {
    /// The mode of their senders
    #[arg(long, default_value = "pipelined")]
    pub(super) mode: String,
    /// Their manager; `local` is replication off
    #[arg(long, default_value = "delta")]
    pub(super) manager: String,
}

impl Replication {
    pub(super) fn new(mode: &str, manager: &str) -> Self {
        Self { mode: mode.to_owned(), manager: manager.to_owned() }
    }
}

/// Nodes of one cluster, of which any may be down.
#[derive(Debug)]
pub(super) struct Nodes {
    plans: Vec<NodePlan>,
    processes: Vec<Option<NodeProcess>>,
    place: TempDir,
    news: mpsc::Sender<News>,
}

impl Nodes {
    /// Writes the files of `count` nodes and starts none of them.
    pub(super) fn prepare(count: usize, replication: &Replication) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("no nodes to measure: {error}"));
        let plans = plans(count).map_err(|error| failed(&error))?;
        let place = tempfile::Builder::new().prefix("sessile-bench-").tempdir();
        let place = place.map_err(|error| failed(&error))?;
        for plan in &plans {
            let text = configuration(plan, &plans, replication);
            let file = place.path().join(format!("{}.toml", plan.name));
            Config::parse(&file.display().to_string(), &text)?;
            std::fs::write(file, text).map_err(|error| failed(&error))?;
        }
        ClusterSecrets::create(&place.path().join("cluster.secret")).map_err(|error| failed(&error))?;
        let processes = plans.iter().map(|_| None).collect();
        Ok(Self { plans, processes, place, news: mpsc::channel(MAX_NEWS).0 })
    }

    /// Starts `count` nodes and waits until each of them serves and sees all others.
    pub(super) async fn start(count: usize, replication: &Replication) -> Result<Self, Failure> {
        let mut nodes = Self::prepare(count, replication)?;
        (0..count).try_for_each(|node| nodes.launch(node))?;
        for node in 0..count {
            nodes.until_serving(node).await?;
        }
        if replication.manager != "local" {
            nodes.until_joined().await?;
        }
        Ok(nodes)
    }

    /// Starts one process and does not wait.
    pub(super) fn launch(&mut self, node: usize) -> Result<(), Failure> {
        let plan = &self.plans[node];
        let process = NodeProcess::start(plan, self.place.path(), LOG, self.news.clone());
        let process =
            process.map_err(|error| Failure::Failed(format!("{} cannot be started: {error}", plan.name)))?;
        self.processes[node] = Some(process);
        Ok(())
    }

    /// Waits until the node has the state and has opened its HTTP port.
    pub(super) async fn until_serving(&self, node: usize) -> Result<(), Failure> {
        let began = Instant::now();
        while TcpStream::connect(self.http(node)).await.is_err() {
            let dead = self.processes[node].as_ref().is_none_or(|process| !process.is_alive());
            if dead || began.elapsed() > PATIENCE {
                return Err(Failure::Failed(self.last_words(node)));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn until_joined(&self) -> Result<(), Failure> {
        let (began, wanted) = (Instant::now(), self.plans.len() as f64);
        for node in 0..self.plans.len() {
            while self.metrics_of(node).await?.get("sessile_members") < wanted {
                if began.elapsed() > PATIENCE {
                    return Err(Failure::Failed(format!("{} does not see the others", NAMES[node])));
                }
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    pub(super) fn http(&self, node: usize) -> SocketAddr {
        self.plans[node].http
    }

    /// The processes that live.
    pub(super) fn ids(&self) -> Vec<u32> {
        let living = self.processes.iter().flatten().filter(|process| process.is_alive());
        living.map(|process| process.id).collect()
    }

    /// The process of one node, while it lives.
    pub(super) fn id(&self, node: usize) -> Option<u32> {
        self.processes[node].as_ref().filter(|process| process.is_alive()).map(|process| process.id)
    }

    /// Ends a node as a crash does.
    pub(super) async fn kill(&mut self, node: usize) {
        if let Some(process) = &mut self.processes[node] {
            process.kill().await;
        }
    }

    /// What one node counts.
    pub(super) async fn metrics_of(&self, node: usize) -> Result<Metrics, Failure> {
        Metrics::of(self.plans[node].admin).await
    }

    /// What all living nodes count, added up.
    pub(super) async fn metrics(&self) -> Result<Metrics, Failure> {
        let mut sum = Metrics::default();
        for node in (0..self.plans.len()).filter(|node| self.id(*node).is_some()) {
            sum = sum.plus(&self.metrics_of(node).await?);
        }
        Ok(sum)
    }

    /// Stops all nodes in order.
    pub(super) async fn stop(self) {
        let stops = self.processes.into_iter().flatten().map(NodeProcess::stop);
        futures_util::future::join_all(stops).await;
    }

    fn last_words(&self, node: usize) -> String {
        let name = NAMES[node];
        let log =
            std::fs::read_to_string(self.place.path().join(format!("{name}.log"))).unwrap_or_default();
        format!("{name} does not serve; its log says\n{log}")
    }
}

/// Ports that are free now; all are held until the last one is known, so that no two are the same.
fn plans(count: usize) -> io::Result<Vec<NodePlan>> {
    let hold = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let mut held = Vec::new();
    let mut plans = Vec::new();
    for name in NAMES.into_iter().take(count) {
        let ports = [hold()?, hold()?, hold()?];
        let [http, replication, admin] = ports.each_ref().map(TcpListener::local_addr);
        plans.push(NodePlan { name, http: http?, replication: replication?, admin: admin? });
        held.push(ports);
    }
    Ok(plans)
}

fn configuration(plan: &NodePlan, all: &[NodePlan], replication: &Replication) -> String {
    let NodePlan { name, http, replication: receiver, admin } = plan;
    let Replication { mode, manager } = replication;
    let members: Vec<_> = all.iter().map(|plan| format!("\"{}\"", plan.replication)).collect();
    let members = members.join(", ");
    format!(
        "[node]\nname = \"{name}\"\ndrain_time = \"2s\"\n[http]\nlisten = \"{http}\"\n[admin]\nlisten = \
         \"{admin}\"\n[cluster]\nname = \"bench\"\nmanager = \"{manager}\"\nsecret_file = \
         \"cluster.secret\"\n[receiver]\nlisten = \"{receiver}\"\n[sender]\nmode = \"{mode}\"\n[session]\nmax_active \
         = 2000000\n[[app]]\npath = \"/clusterapp\"\nbuiltin = \"clusterapp\"\ndiagnostics = true\n[membership]\nkind \
         = \"static\"\nmembers = [{members}]\nfrequency = \"500ms\"\ndrop_time = \"3s\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_accepted_and_ports_differ() {
        let plans = plans(8).unwrap();
        let mut ports: Vec<_> =
            plans.iter().flat_map(|plan| [plan.http, plan.replication, plan.admin]).collect();
        ports.sort();
        ports.dedup();
        assert_eq!(ports.len(), 24);
        for manager in ["delta", "local"] {
            let text = configuration(&plans[0], &plans, &Replication::new("async", manager));
            Config::parse("tc01.toml", &text).expect(&text);
        }
    }

    #[test]
    fn a_wrong_mode_is_told_before_anything_starts() {
        let wrong = Replication::new("telepathic", "delta");
        assert!(matches!(Nodes::prepare(2, &wrong), Err(Failure::Configuration(_))));
    }
}
