//! Runs one scenario: starts two nodes, fills them, measures them at rest and under load, verifies and stops
//! them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::Value;
use tokio::time::sleep;

use super::outcome::{self, NodeCounters};
use super::scenario::Scenario;
use crate::bench::exposed::Exposed;
use crate::bench::measuring_clients::{ClientPlan, MeasuringClients, Pace};
use crate::bench::progress;
use crate::bench::report::Row;
use crate::bench::usage::{Usage, Watch};
use crate::bench::verdict::Violation;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::local_cluster::{ClusterPlan, ClusterSettings, LocalCluster};
use crate::stop::StopRequest;

/// Log filter of the nodes: logging must not cost measurable time.
const LOG: &str = "warn";
/// Longer than any scheduling pause of a busy machine: no member may be removed during a measurement.
const DROP_TIME: &str = "30s";
/// Longest wait until each node sees the other.
const MEETING: Duration = Duration::from_secs(30);
/// Longest wait until both nodes have confirmed all changes.
const CONFIRMING: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// How long a scenario is measured, and by how many clients.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunLength {
    pub(super) threads: u64,
    pub(super) repetitions: u64,
    pub(super) pace: Pace,
    /// How long the idle nodes are measured.
    pub(super) rest: Duration,
}

/// The result.
#[derive(Debug)]
pub(super) struct ScenarioResult {
    pub(super) row: Row,
    pub(super) faults: Vec<Violation>,
    pub(super) unanswered: u64,
    pub(super) words: Vec<String>,
    /// What the nodes, and other programs, took of the machine meanwhile.
    pub(super) usage: Usage,
    /// The user requested a stop.
    pub(super) interrupted: bool,
}

/// Measures `scenario` on nodes of its own.
pub(super) async fn measure(
    scenario: &Scenario,
    length: &RunLength,
    stop: &StopRequest,
) -> Result<ScenarioResult, Failure> {
    let Scenario { manager, mode, .. } = *scenario;
    let settings = ClusterSettings { manager, mode, drop_time: DROP_TIME, ..ClusterSettings::default() };
    let plan = ClusterPlan::on_free_ports(2, settings)
        .map_err(|error| Failure::Failed(format!("no free ports: {error}")))?;
    let (cluster, events) = LocalCluster::open(plan, LOG).await?;
    // The log files keep the nodes' events.
    drop(events);
    let done = on(&cluster, scenario, length, stop).await;
    cluster.close().await;
    done
}

async fn on(
    cluster: &LocalCluster,
    scenario: &Scenario,
    length: &RunLength,
    stop: &StopRequest,
) -> Result<ScenarioResult, Failure> {
    let admins: Vec<SocketAddr> = cluster.plan.nodes.iter().map(|node| node.admin).collect();
    let mut nodes = Vec::new();
    if scenario.is_replicated() {
        nodes.extend(cluster.plan.nodes.iter().map(|node| (node.name.to_owned(), node.http)));
        met(&nodes).await?;
    }
    let RunLength { repetitions, pace, .. } = *length;
    let plan = ClientPlan { workload: scenario.workload, repetitions, pace, nodes };
    let mut measuring_clients =
        MeasuringClients::set_up(cluster.plan.balancer, length.threads, plan, stop.clone()).await?;
    all_confirmed(&admins).await?;
    let resting = Exposed::ask_all(&admins).await?;
    sleep(length.rest).await;
    let rested = Exposed::ask_all(&admins).await?;

    let names = cluster.plan.nodes.iter().map(|node| node.name);
    let processes = names.filter_map(|name| cluster.process(name)).map(|process| process.id).collect();
    let watch = Watch::start(processes);
    let bar = progress::bar(scenario.code, length.threads * repetitions);
    measuring_clients.repeat(&bar).await;
    bar.finish_and_clear();
    all_confirmed(&admins).await?;
    let busy = Exposed::ask_all(&admins).await?.since(&rested);
    let usage = watch.stop();
    let interrupted = stop.is_requested();
    if !interrupted {
        measuring_clients.end().await;
    }
    let rest_bytes = rested.since(&resting).value("sessile_bytes_sent_total");
    let counted = NodeCounters { busy, idle_bytes_per_second: rest_bytes / length.rest.as_secs_f64() };
    let measured = measuring_clients.measured;
    let (faults, words) = (measured.faults.clone(), measured.words.clone());
    let unanswered = measured.unanswered;
    Ok(ScenarioResult {
        row: outcome::row(scenario, measured, &counted),
        faults,
        unanswered,
        words,
        usage,
        interrupted,
    })
}

/// Waits until every node sees the other.
async fn met(nodes: &[(String, SocketAddr)]) -> Result<(), Failure> {
    let began = Instant::now();
    for (name, at) in nodes {
        let mut connection = Connection::new(*at);
        while others(&mut connection).await != Some(1) {
            if began.elapsed() > MEETING {
                return Err(Failure::Failed(format!("{name} at http://{at} does not see the other node")));
            }
            sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// Waits until no change is in flight between the nodes: changes in an asynchronous send queue belong to the
/// previous measurement.
async fn all_confirmed(admins: &[SocketAddr]) -> Result<(), Failure> {
    let began = Instant::now();
    while Exposed::ask_all(admins).await?.sum("sessile_unconfirmed_bytes") > 0.0 {
        if began.elapsed() > CONFIRMING {
            let words = format!("the nodes did not confirm each other's changes within {CONFIRMING:?}");
            return Err(Failure::Failed(words));
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

async fn others(connection: &mut Connection) -> Option<u64> {
    let answer = connection.send(Method::GET, "/clusterapp/stats", None).await.ok()?;
    serde_json::from_slice::<Value>(&answer.body).ok()?.get("members")?.as_u64()
}
