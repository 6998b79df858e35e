//! One scenario: two nodes are started, filled, watched at rest, loaded, read and ended.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::Value;
use tokio::time::sleep;

use super::outcome::{self, Counted};
use super::scenario::Scenario;
use crate::bench::crowd::{Course, Crowd, Pace};
use crate::bench::exposed::Exposed;
use crate::bench::progress;
use crate::bench::report::Row;
use crate::bench::verdict::Fault;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::rig::{Plan, Settings, Stage};
use crate::stop::StopWish;

/// What the nodes log: nothing that takes time.
const LOG: &str = "warn";
/// Longer than any pause that a busy machine makes: no member may be lost while others are measured.
const DROP_TIME: &str = "30s";
/// Longest wait until the nodes know each other.
const MEETING: Duration = Duration::from_secs(30);
/// Longest wait until they hold everything of each other.
const CONFIRMING: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dose {
    pub(super) threads: u64,
    pub(super) repetitions: u64,
    pub(super) pace: Pace,
    /// How long the nodes are watched while nobody asks for anything.
    pub(super) rest: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) row: Row,
    pub(super) faults: Vec<Fault>,
    pub(super) unanswered: u64,
    pub(super) words: Vec<String>,
    /// A stop was asked for.
    pub(super) interrupted: bool,
}

/// Measures `scenario` on nodes of its own.
pub(super) async fn measure(scenario: &Scenario, dose: &Dose, stop: &StopWish) -> Result<Done, Failure> {
    let Scenario { manager, mode, .. } = *scenario;
    let settings = Settings { manager, mode, drop_time: DROP_TIME, ..Settings::default() };
    let plan = Plan::on_free_ports(2, settings)
        .map_err(|error| Failure::Failed(format!("no free ports: {error}")))?;
    let (stage, news) = Stage::open(plan, LOG).await?;
    // What the nodes log is in their files.
    drop(news);
    let done = on(&stage, scenario, dose, stop).await;
    stage.close().await;
    done
}

async fn on(stage: &Stage, scenario: &Scenario, dose: &Dose, stop: &StopWish) -> Result<Done, Failure> {
    let admins: Vec<SocketAddr> = stage.plan.nodes.iter().map(|node| node.admin).collect();
    let mut nodes = Vec::new();
    if scenario.is_replicated() {
        nodes.extend(stage.plan.nodes.iter().map(|node| (node.name.to_owned(), node.http)));
        met(&nodes).await?;
    }
    let Dose { repetitions, pace, .. } = *dose;
    let course = Course { workload: scenario.workload, repetitions, pace, nodes };
    let mut crowd = Crowd::set_up(stage.plan.balancer, dose.threads, course, stop.clone()).await?;
    all_confirmed(&admins).await?;
    let resting = Exposed::ask_all(&admins).await?;
    sleep(dose.rest).await;
    let rested = Exposed::ask_all(&admins).await?;

    let bar = progress::bar(scenario.code, dose.threads * repetitions);
    crowd.repeat(&bar).await;
    bar.finish_and_clear();
    all_confirmed(&admins).await?;
    let busy = Exposed::ask_all(&admins).await?.since(&rested);
    let interrupted = stop.is_asked();
    if !interrupted {
        crowd.end().await;
    }
    let rest_bytes = rested.since(&resting).value("sessile_bytes_sent_total");
    let counted = Counted { busy, idle_bytes_per_second: rest_bytes / dose.rest.as_secs_f64() };
    let measured = crowd.measured;
    let (faults, words) = (measured.faults.clone(), measured.words.clone());
    let unanswered = measured.unanswered;
    Ok(Done { row: outcome::row(scenario, measured, &counted), faults, unanswered, words, interrupted })
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

/// Waits until nothing is on its way between the nodes: what an asynchronous sender still has to send belongs to what
/// was measured before.
async fn all_confirmed(admins: &[SocketAddr]) -> Result<(), Failure> {
    let began = Instant::now();
    while Exposed::ask_all(admins).await?.sum("sessile_unconfirmed_bytes") > 0.0 {
        if began.elapsed() > CONFIRMING {
            let words = format!("the nodes do not confirm each other's changes within {CONFIRMING:?}");
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
