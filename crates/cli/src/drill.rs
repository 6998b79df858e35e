//! `sessile drill`: loads a cluster, injects faults, and judges the observations of its clients.
//!
//! A `browser` is one client; its operations come from a [`Workload`](sessile_history::Workload) and go into
//! the `history_recorder`, with every `event` of the cluster that this program causes, reads from standard
//! input, or observes. At the end `reading` reads every session on each node, and the crate `sessile_history`
//! judges. `fault_injector` disturbs the nodes. Must not know how the verdict is derived: that is
//! `sessile_history`.

mod browser;
mod clusterapp_client;
mod event;
mod event_input;
mod fault_injector;
mod history_recorder;
mod observer;
mod reading;
mod report;
mod target;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::browser::Browser;
use self::fault_injector::{FaultTargets, NodeFault};
use self::history_recorder::HistoryRecorder;
use self::report::Report;
use self::target::{Target, Targets};
use crate::failure::Failure;
use crate::local_cluster::{ClusterPlan, ClusterSettings, LocalCluster};
use crate::stop::StopRequest;
use crate::{output, runtime};

/// Time between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(5);
/// Most operations of a history, some hundred bytes each. The load ends when it reaches this number.
const OPERATIONS_MAX: usize = 1_000_000;
/// Log filter of the nodes.
const LOG: &str = "info";

/// Command line arguments of the drill.
#[derive(Debug, Args)]
pub(crate) struct Drill {
    /// URL of clusterapp on a node; name every node. clusterapp needs `diagnostics = true`
    #[arg(long = "node", value_name = "URL")]
    nodes: Vec<Target>,
    /// URL of the balancer; half of the requests go through it, or all requests if no node is named
    #[arg(long, value_name = "URL")]
    balancer: Option<Target>,
    /// Start a cluster of this many nodes (default 3) and a balancer, disturb it, and stop it
    #[arg(long, value_name = "NODES", num_args = 0..=1, default_missing_value = "3",
          value_parser = clap::value_parser!(u8).range(2..=8), conflicts_with_all = ["nodes", "balancer", "reads_events"])]
    own: Option<u8>,
    /// Duration of the load
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    time: Duration,
    /// Clients, each with a session of its own and sometimes two requests at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    clients: u32,
    /// Pause of a client between two requests
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = humantime::parse_duration)]
    think: Duration,
    /// Response timeout of a client; after it the outcome of the request is unknown
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    patience: Duration,
    /// The seed of everything that is random; left out, one is chosen and shown
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Faults for a cluster started with --own, and for nodes named with --pid (which are only paused)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FAULT", default_values = ["kill", "pause"])]
    faults: Vec<NodeFault>,
    /// Allow to pause a node: its name and the id of its process
    #[arg(long, value_name = "NAME=PID", value_parser = fault_injector::allowed, requires = "nodes")]
    pid: Vec<(String, u32)>,
    /// Read events of the cluster on standard input, a line each: `killed tc01`, `started tc01`,
    /// `stopped tc01`, `resumed tc01`, `cut tc01,tc02 tc03`, `healed`; the end of input ends the load
    #[arg(long = "told", requires = "nodes")]
    reads_events: bool,
    /// The cluster's mode is `async`: responses do not wait for copies, and reads may be stale
    #[arg(long = "async", conflicts_with = "own")]
    asynchronous: bool,
    /// Keep history, verdict and faults in this folder, also if the drill passes
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// The verdict as JSON
    #[arg(long)]
    json: bool,
}

impl Drill {
    pub(crate) fn run(self) -> Result<(), Failure> {
        runtime::run(self.drill())
    }

    async fn drill(self) -> Result<(), Failure> {
        let stop = StopRequest::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => u64::from(
                getrandom::u32().map_err(|error| Failure::Failed(format!("random numbers: {error}")))?,
            ),
        };
        let (targets, cluster) = self.scene().await?;
        let recorder = HistoryRecorder::new(&targets.names(), self.asynchronous);
        let fault_targets = match cluster {
            Some(cluster) => FaultTargets::Own(Box::new(cluster)),
            None => FaultTargets::Allowed(self.pid.clone()),
        };
        let (browsers, fault_targets) = self.load(seed, &targets, &recorder, fault_targets, &stop).await?;
        let apart = observer::until_calm(&recorder, &targets).await.err();
        output::tell("reading every session on every node …");
        let read = reading::read_all(browsers, &targets, &recorder).await;
        let report = Report::new(&self, seed, &targets, &recorder, apart);
        let judged = read.and_then(|()| report.judge(self.keep.as_deref(), fault_targets.place(), self.json));
        fault_targets.leave().await;
        judged
    }

    /// The loaded cluster: a new one, or the named one.
    async fn scene(&self) -> Result<(Targets, Option<LocalCluster>), Failure> {
        let Some(nodes) = self.own else {
            if self.nodes.is_empty() && self.balancer.is_none() {
                let words = "which cluster? Write --own for one that is started for the drill, or name yours: \
                             --node URL for each node, --balancer URL, or both";
                return Err(Failure::Usage(words.to_owned()));
            }
            let balancer = self.balancer.as_ref().map(|target| target.at);
            return Ok((Targets::ask(&self.nodes, balancer, self.patience).await?, None));
        };
        let more = "[replication]\nreceipt_header = true\n".to_owned();
        let plan =
            ClusterPlan::on_free_ports(nodes.into(), ClusterSettings { more, ..ClusterSettings::default() })
                .map_err(|error| Failure::Failed(format!("no free ports: {error}")))?;
        let (cluster, events) = LocalCluster::open(plan, LOG).await?;
        // The log files keep the nodes' events; no receiver is needed.
        drop(events);
        Ok((Targets::of(&cluster.plan, self.patience), Some(cluster)))
    }

    /// Runs all clients while the cluster is disturbed and observed, until the time is over or the user
    /// requests a stop.
    async fn load(
        &self,
        seed: u64,
        targets: &Targets,
        recorder: &HistoryRecorder,
        fault_targets: FaultTargets,
        stop: &StopRequest,
    ) -> Result<(Vec<Browser>, FaultTargets), Failure> {
        let end = recorder.end_of_load();
        let mut clients = JoinSet::new();
        for number in 0..self.clients {
            let browser = Browser::new(seed, number, targets, recorder.clone());
            clients.spawn(browser.work(self.think, end.clone()));
        }
        tokio::spawn(observer::watch(targets.clone(), recorder.clone()));
        let faults = self.faults.clone();
        let injection = tokio::spawn(fault_injector::work(
            fault_targets,
            faults,
            seed,
            targets.clone(),
            recorder.clone(),
            end.clone(),
        ));
        let events = async {
            match self.reads_events {
                true => event_input::listen(recorder).await,
                false => std::future::pending().await,
            }
        };
        let time = async {
            match self.reads_events {
                // With --told the end of input ends the load.
                true => std::future::pending().await,
                false => sleep(self.time).await,
            }
        };
        let heard = tokio::select! {
            () = time => Ok(()),
            () = stop.requested() => {
                output::tell("stopping; the operations so far are judged");
                Ok(())
            }
            heard = events => heard,
            () = progress(recorder) => {
                output::tell("the history is full; the operations so far are judged");
                Ok(())
            }
        };
        end.request();
        let mut browsers = Vec::new();
        while let Some(done) = clients.join_next().await {
            browsers.push(done.expect("a client does not panic"));
        }
        let fault_targets = injection.await.expect("the fault injector does not panic")?;
        heard.map(|()| (browsers, fault_targets))
    }
}

/// Prints the progress; ready when the history is full.
async fn progress(recorder: &HistoryRecorder) {
    let began = Instant::now();
    while recorder.operations() < OPERATIONS_MAX {
        sleep(PROGRESS).await;
        let (acknowledged, unknown) = recorder.counts();
        output::tell(&format!(
            "{:>4} s: {acknowledged} acknowledged, {unknown} unknown",
            began.elapsed().as_secs()
        ));
    }
}
