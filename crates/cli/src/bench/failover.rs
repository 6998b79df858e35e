//! `sessile bench failover`: a node fails under load; counts lost acknowledged writes and measures how long
//! clients wait.
//!
//! Clients write to the first node until it is killed or stopped. At that moment one client, the probe, moves
//! to the other node with its cookie, as a balancer would route it. *Detection*: until the other node no
//! longer counts the first node as a member. *Recovery*: from detection until the first good response. The
//! other clients move when they notice that their node is gone; their writes form the series across the
//! failure. A stopped node keeps its connections, so its process is killed after the first good response.
//! Next: `failover/findings.rs` presents the findings.

mod findings;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::findings::{FailoverReport, FailoverRound, NodeFailure};
use super::client_pool::{PoolClient, SessionContent};
use super::cluster::{Nodes, Replication};
use super::interrupt::{Interrupt, Interval};
use super::lag::{peek, sid_of};
use super::light_client::LightClient;
use super::run_settings::{Circumstances, RunSettings};
use super::timeline::{Span, Timeline};
use super::usage::{Usage, Watch};
use crate::failure::Failure;
use crate::signal;

/// Load before the failure, and after all clients have moved to the other node.
const LOAD: Duration = Duration::from_secs(1);
const QUICK_LOAD: Duration = Duration::from_millis(200);
/// Longest wait for a good response, for the detection and for the other clients.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest load of one round.
const BOUND: Duration = Duration::from_secs(120);
/// Width of the bins of the series.
const BIN: Duration = Duration::from_millis(50);
/// The attribute that clients write at the other node: the writes acknowledged by the first node stay
/// readable.
const AFTERWARDS: &str = "b0";
/// Pause between two polls.
const PAUSE: Duration = Duration::from_millis(1);
const CONTENT: SessionContent = SessionContent { attributes: 1, size: 1_024 };

/// The measurement.
#[derive(Debug, Args)]
pub(crate) struct FailoverBench {
    /// Repetitions of each kind of failure
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Clients that write
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    #[command(flatten)]
    replication: Replication,
    #[command(flatten)]
    settings: RunSettings,
}

/// The acknowledged writes of one client.
struct ClientRecord {
    sid: String,
    /// The last version acknowledged by the first node.
    acknowledged: u64,
    /// Of both nodes.
    moments: Timeline,
}

impl FailoverBench {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        if self.replication.manager == "local" {
            return Err(Failure::Usage("manager `local` has nothing to fail over to".to_owned()));
        }
        let (interrupt, sink) = (Interrupt::listen()?, self.settings.output.begin("failover")?);
        let Replication { mode, manager } = &self.replication;
        let replication = format!("2 nodes, {mode}, {manager}, drop time 3 s");
        let mut report =
            FailoverReport { replication, rounds: Vec::new(), circumstances: Circumstances::default() };
        let rounds = if self.settings.quick() { 1 } else { self.rounds };
        for _ in 0..rounds {
            for end in NodeFailure::ALL {
                if !interrupt.is_requested() {
                    let mut nodes = Nodes::start(2, &self.replication).await?;
                    let played = self.round(&mut nodes, end, &interrupt).await;
                    nodes.stop().await;
                    let (round, usage) = played?;
                    report.circumstances.note(&usage);
                    report.rounds.push(round);
                }
            }
        }
        report.circumstances.interrupted = interrupt.is_requested();
        sink.show(&report)
    }

    /// One failure, with the resource usage until then: a dead node reports nothing.
    async fn round(
        &self,
        nodes: &mut Nodes,
        end: NodeFailure,
        interrupt: &Interrupt,
    ) -> Result<(FailoverRound, Usage), Failure> {
        let mut probe = PoolClient::new(LightClient::new(nodes.http(0)), CONTENT);
        probe.fill().await.map_err(Failure::Failed)?;
        let (mut writers, all, moved) = (JoinSet::new(), interrupt.after(BOUND), Arc::default());
        for _ in 0..self.connections {
            let mut writer = PoolClient::new(LightClient::new(nodes.http(0)), CONTENT);
            writer.fill().await.map_err(Failure::Failed)?;
            let sid = sid_of(&mut writer.http).await?;
            writers.spawn(write_at_both(writer, sid, nodes.http(1), all.clone(), Arc::clone(&moved)));
        }
        let (watch, from) = (Watch::start(nodes.ids()), Instant::now());
        let around = if self.settings.quick() { QUICK_LOAD } else { LOAD };
        until_over(&interrupt.after(around)).await;
        let (usage, began) = (watch.stop(), Instant::now());
        end_node(nodes, end).await?;
        let detection = async { until_alone(nodes).await.map(|()| began.elapsed()) };
        let other = PoolClient::new(probe.http.at_other(nodes.http(1)), CONTENT);
        let first_good = async { until_acknowledged(other).await.map(|()| began.elapsed()) };
        let (detection, first_good) = tokio::try_join!(detection, first_good)?;
        // A stopped process keeps its connections open; killing it makes the writers notice.
        nodes.kill(0).await;
        until_moved(&moved, self.connections, &interrupt.after(PATIENCE)).await;
        until_over(&interrupt.after(around)).await;
        let span = Span { from, zero: began, to: Instant::now() };
        all.end_now();
        let written = ended(writers).await?;
        let (acknowledged, lost) = lost(&written, nodes).await?;
        let mut moments = Timeline::default();
        written.iter().for_each(|written| moments.add(&written.moments));
        let series = moments.binned(&span, BIN);
        let [detection_ms, first_good_ms] = [detection, first_good].map(|time| time.as_secs_f64() * 1e3);
        let recovery_ms = (first_good_ms - detection_ms).max(0.0);
        let round =
            FailoverRound { end, acknowledged, lost, detection_ms, first_good_ms, recovery_ms, series };
        Ok((round, usage))
    }
}

/// Writes until the node is gone, then continues the same session at the other node; `moved` counts the moved
/// clients.
async fn write_at_both(
    mut writer: PoolClient,
    sid: String,
    other: SocketAddr,
    all: Interval,
    moved: Arc<AtomicU16>,
) -> ClientRecord {
    let mut written = ClientRecord { sid, acknowledged: 0, moments: Timeline::default() };
    while !all.is_over() {
        let sent = Instant::now();
        if writer.write().await.is_err() {
            break;
        }
        written.acknowledged = writer.version;
        written.moments.push(Instant::now(), sent.elapsed());
    }
    let (mut writer, mut arrived) = (PoolClient::new(writer.http.at_other(other), CONTENT), false);
    while !all.is_over() {
        let sent = Instant::now();
        if writer.write_into(AFTERWARDS).await.is_err() {
            sleep(PAUSE).await;
            continue;
        }
        written.moments.push(Instant::now(), sent.elapsed());
        if !std::mem::replace(&mut arrived, true) {
            moved.fetch_add(1, Relaxed);
        }
    }
    written
}

/// Ready when all clients have a write acknowledged by the other node, or the interval is over.
async fn until_moved(moved: &AtomicU16, clients: u16, patience: &Interval) {
    while moved.load(Relaxed) < clients && !patience.is_over() {
        sleep(PAUSE).await;
    }
}

async fn until_over(interval: &Interval) {
    while !interval.is_over() {
        sleep(PAUSE).await;
    }
}

async fn ended(mut writers: JoinSet<ClientRecord>) -> Result<Vec<ClientRecord>, Failure> {
    let mut all = Vec::with_capacity(writers.len());
    while let Some(done) = writers.join_next().await {
        all.push(done.map_err(|error| Failure::Failed(format!("a client failed: {error}")))?);
    }
    Ok(all)
}

/// Reads every session from the other node; returns the number of acknowledged writes and of lost ones.
async fn lost(written: &[ClientRecord], nodes: &Nodes) -> Result<(u64, u64), Failure> {
    let mut reader = LightClient::new(nodes.http(1));
    let (mut all, mut lost) = (0, 0);
    for ClientRecord { sid, acknowledged, .. } in written {
        let found = peek(&mut reader, sid).await?.unwrap_or(0);
        all += acknowledged;
        lost += acknowledged.saturating_sub(found);
    }
    Ok((all, lost))
}

/// Ready when the other node sees no other member.
async fn until_alone(nodes: &Nodes) -> Result<(), Failure> {
    let began = Instant::now();
    while nodes.metrics_of(1).await?.value("sessile_members") > 1.0 {
        if began.elapsed() > PATIENCE {
            return Err(Failure::Failed(format!(
                "the other node did not detect the failure within {PATIENCE:?}"
            )));
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Ready when a write is acknowledged.
async fn until_acknowledged(mut writer: PoolClient) -> Result<(), Failure> {
    let began = Instant::now();
    while let Err(why) = writer.write().await {
        if began.elapsed() > PATIENCE {
            return Err(Failure::Failed(format!("no good response within {PATIENCE:?}: {why}")));
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

async fn end_node(nodes: &mut Nodes, end: NodeFailure) -> Result<(), Failure> {
    match end {
        NodeFailure::Killed => {
            nodes.kill(0).await;
            Ok(())
        }
        NodeFailure::Stopped => {
            let id = nodes.id(0);
            signal::stop(
                id.ok_or_else(|| Failure::Failed("the node ended before it was stopped".to_owned()))?,
            )
        }
    }
}
