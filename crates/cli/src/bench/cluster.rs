//! Nodes of a measurement, without a balancer: each is a process of this program and may be down.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Args;
use sessile::Config;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::exposed::Exposed;
use crate::admin_client::AdminClient;
use crate::failure::Failure;
use crate::local_cluster::{
    ClusterPlan, ClusterSettings, Discovery, NodeEvent, NodeProcess, private_directory,
};

/// All modes; whether this version supports a mode is checked by the nodes' configuration.
const MODES: [&str; 4] = ["pipelined", "async", "sync", "pooled"];
const MANAGERS: [&str; 3] = ["delta", "full", "local"];
/// Log filter of the nodes: warnings only, so that logging does not distort the measurement.
const LOG: &str = "warn";
/// Longest wait until a node serves, and until it sees the others.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two polls.
const PAUSE: Duration = Duration::from_millis(2);
/// Capacity of the event channel: no receiver reads it, the log files keep the events.
const MAX_NODE_EVENTS: usize = 1;

/// How the nodes of a measurement replicate.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Replication {
    /// The mode of their senders
    #[arg(long, default_value = "pipelined", value_parser = mode)]
    pub(super) mode: &'static str,
    /// Their manager; `local` turns replication off
    #[arg(long, default_value = "delta", value_parser = manager)]
    pub(super) manager: &'static str,
}

fn mode(text: &str) -> Result<&'static str, String> {
    one_of(&MODES, text)
}

fn manager(text: &str) -> Result<&'static str, String> {
    one_of(&MANAGERS, text)
}

fn one_of(all: &[&'static str], text: &str) -> Result<&'static str, String> {
    let found = all.iter().find(|one| **one == text).copied();
    found.ok_or_else(|| format!("write one of {}", all.join(", ")))
}

impl Replication {
    pub(super) fn new(mode: &'static str, manager: &'static str) -> Self {
        Self { mode, manager }
    }
}

/// Nodes of one cluster.
#[derive(Debug)]
pub(super) struct Nodes {
    plan: ClusterPlan,
    processes: Vec<Option<NodeProcess>>,
    place: TempDir,
    events: mpsc::Sender<NodeEvent>,
}

impl Nodes {
    /// Writes the files of `count` nodes (at most 64), with the tables `more` appended, and starts no node.
    pub(super) fn prepare(count: usize, replication: &Replication, more: &str) -> Result<Self, Failure> {
        let &Replication { mode, manager } = replication;
        let settings = ClusterSettings { mode, manager, more: more.to_owned(), ..ClusterSettings::default() };
        let plan = ClusterPlan::on_free_ports(count, settings);
        let plan = plan.map_err(|error| Failure::Failed(format!("no free ports: {error}")))?;
        for node in &plan.nodes {
            // A configuration that this version does not support fails before any process starts.
            Config::parse(format!("{}.toml", node.name), &plan.configuration(node))?;
        }
        let place = private_directory(&plan)?;
        let processes = plan.nodes.iter().map(|_| None).collect();
        Ok(Self { plan, processes, place, events: mpsc::channel(MAX_NODE_EVENTS).0 })
    }

    /// Starts `count` nodes and waits until each of them serves and sees all others.
    pub(super) async fn start(count: usize, replication: &Replication) -> Result<Self, Failure> {
        Self::start_with(count, replication, "").await
    }

    /// The same with the tables `more` in each node's file.
    pub(super) async fn start_with(
        count: usize,
        replication: &Replication,
        more: &str,
    ) -> Result<Self, Failure> {
        let mut nodes = Self::prepare(count, replication, more)?;
        (0..count).try_for_each(|node| nodes.launch(node))?;
        for node in 0..count {
            nodes.until_serving(node).await?;
        }
        if replication.manager != "local" {
            nodes.until_joined().await?;
        }
        Ok(nodes)
    }

    /// Starts `count` nodes at once that find each other in this way, and waits until each sees all others.
    pub(super) async fn start_found_by(
        count: usize,
        replication: &Replication,
        membership: Discovery,
    ) -> Result<Self, Failure> {
        let mut nodes = Self::prepare(count, replication, "")?;
        nodes.plan.membership = membership;
        // While all start at once, the machine is too busy for a short one.
        nodes.plan.settings.drop_time = "15s";
        nodes.place = private_directory(&nodes.plan)?;
        (0..count).try_for_each(|node| nodes.launch(node))?;
        for node in 0..count {
            nodes.until_serving(node).await?;
        }
        nodes.until_joined().await?;
        Ok(nodes)
    }

    /// Starts one process without waiting for it.
    pub(super) fn launch(&mut self, node: usize) -> Result<(), Failure> {
        let plan = &self.plan.nodes[node];
        let process = NodeProcess::start(plan, self.place.path(), LOG, self.events.clone());
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
        let (began, wanted) = (Instant::now(), self.plan.nodes.len() as f64);
        for node in 0..self.plan.nodes.len() {
            while self.metrics_of(node).await?.value("sessile_members") < wanted {
                if began.elapsed() > PATIENCE {
                    return Err(Failure::Failed(format!(
                        "{} does not see the others",
                        self.plan.nodes[node].name
                    )));
                }
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    pub(super) fn http(&self, node: usize) -> SocketAddr {
        self.plan.nodes[node].http
    }

    /// The client of a node's admin port.
    pub(super) fn admin_client(&self, node: usize) -> Result<AdminClient, Failure> {
        AdminClient::of(&self.place.path().join(format!("{}.toml", self.plan.nodes[node].name)))
    }

    /// Ids of the running processes.
    pub(super) fn ids(&self) -> Vec<u32> {
        let living = self.processes.iter().flatten().filter(|process| process.is_alive());
        living.map(|process| process.id).collect()
    }

    /// Process id of a running node.
    pub(super) fn id(&self, node: usize) -> Option<u32> {
        self.processes[node].as_ref().filter(|process| process.is_alive()).map(|process| process.id)
    }

    /// Kills a node (SIGKILL).
    pub(super) async fn kill(&mut self, node: usize) {
        if let Some(process) = &mut self.processes[node] {
            process.kill().await;
        }
    }

    /// The metrics of one node.
    pub(super) async fn metrics_of(&self, node: usize) -> Result<Exposed, Failure> {
        Exposed::ask(self.plan.nodes[node].admin).await
    }

    /// The summed metrics of all running nodes.
    pub(super) async fn metrics(&self) -> Result<Exposed, Failure> {
        let living = (0..self.plan.nodes.len()).filter(|node| self.id(*node).is_some());
        Exposed::ask_all(&living.map(|node| self.plan.nodes[node].admin).collect::<Vec<_>>()).await
    }

    /// Stops all nodes gracefully.
    pub(super) async fn stop(self) {
        let stops = self.processes.into_iter().flatten().map(NodeProcess::stop);
        futures_util::future::join_all(stops).await;
    }

    fn last_words(&self, node: usize) -> String {
        let name = self.plan.nodes[node].name;
        let log = std::fs::read_to_string(self.place.path().join(format!("{name}.log"))).unwrap_or_default();
        format!("{name} does not serve; its log says\n{log}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_mode_fails_before_any_process_starts() {
        assert_eq!(mode("async"), Ok("async"));
        assert!(manager("telepathic").unwrap_err().contains("delta, full, local"));
        let wrong = Replication::new("telepathic", "delta");
        assert!(matches!(Nodes::prepare(2, &wrong, ""), Err(Failure::Configuration(_))));
    }
}
