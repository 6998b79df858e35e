//! `sessile drill`: load on a cluster that is disturbed, and the verdict of its clients.
//!
//! A `browser` is one client; its operations are a [`Workload`](sessile_history::Workload) and go into the `history_recorder`,
//! with every `event` of the cluster that this program causes, is told of, or watches. At the end `reading` asks each
//! node for every session, and the library judges. The faults of a cluster of its own are `fault_injector`'s. Must not know
//! what a verdict rests on: that is `sessile_history`.

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
/// Operations whose history is kept and judged: some hundred bytes each. A load that has made as many ends.
const OPERATIONS_MAX: usize = 1_000_000;
/// What the nodes of a drill log.
const LOG: &str = "info";

/// Which cluster to load, how, and what may be done to it.
#[derive(Debug, Args)]
pub(crate) struct Drill {
    /// A node of the cluster: all of them, each where its clusterapp is; it needs `diagnostics = true`
    #[arg(long = "node", value_name = "URL")]
    nodes: Vec<Target>,
    /// The balancer; half of the requests go through it, or all of them where no node is named
    #[arg(long, value_name = "URL")]
    balancer: Option<Target>,
    /// Start a cluster of so many nodes and a balancer, 3 if no number is given, disturb it, and end it
    #[arg(long, value_name = "NODES", num_args = 0..=1, default_missing_value = "3",
          value_parser = clap::value_parser!(u8).range(2..=8), conflicts_with_all = ["nodes", "balancer", "told"])]
    own: Option<u8>,
    /// How long the load lasts
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    time: Duration,
    /// Clients, each with a session of its own and sometimes two requests at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    clients: u32,
    /// What a client thinks between two requests
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = humantime::parse_duration)]
    think: Duration,
    /// How long a client waits; then the outcome of its request is unknown
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    patience: Duration,
    /// The seed of everything that is random; left out, one is chosen and shown
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// What is done to a cluster of its own, and to nodes named with --pid; nodes named so are only paused
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FAULT", default_values = ["kill", "pause"])]
    faults: Vec<NodeFault>,
    /// Allow to pause a node: its name and the id of its process
    #[arg(long, value_name = "NAME=PID", value_parser = fault_injector::allowed, requires = "nodes")]
    pid: Vec<(String, u32)>,
    /// Read on standard input what else is done to the cluster, a line each: `killed tc01`, `started tc01`, `stopped tc01`,
    /// `resumed tc01`, `cut tc01,tc02 tc03`, `healed`; its end ends the load
    #[arg(long, requires = "nodes")]
    told: bool,
    /// The cluster's mode is `async`: a response does not wait, and reads may be behind
    #[arg(long = "async", conflicts_with = "own")]
    asynchronous: bool,
    /// Keep history, verdict and faults in this folder, also when nothing is wrong
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

    /// Whom to load: a cluster of its own, or the one that was named.
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
        // What the nodes log is kept in their files; here nobody listens.
        drop(events);
        Ok((Targets::of(&cluster.plan, self.patience), Some(cluster)))
    }

    /// All clients at work while the cluster is disturbed and watched, until the time is over or a stop is asked for.
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
        let told = async {
            match self.told {
                true => event_input::listen(recorder).await,
                false => std::future::pending().await,
            }
        };
        let time = async {
            match self.told {
                // Whoever tells says when it is enough.
                true => std::future::pending().await,
                false => sleep(self.time).await,
            }
        };
        let heard = tokio::select! {
            () = time => Ok(()),
            () = stop.requested() => {
                output::tell("stopping; what was done so far is judged");
                Ok(())
            }
            heard = told => heard,
            () = progress(recorder) => {
                output::tell("the history is full; what was done so far is judged");
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

/// Says how far it is; ready when the history is as long as it may get.
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
