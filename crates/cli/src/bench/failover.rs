//! `sessile bench failover`: a node ends under load; how many acknowledged writes are lost, and how long clients wait.
//!
//! Clients write to the first node until it is killed or stopped. At that moment one of them goes to the other node
//! with its cookie, as a balancer would send it. *Detection*: until the other node no longer counts the first one as a
//! member. *Recovery*: from there until the first good response.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::cluster::{Nodes, Replication};
use super::crew::{Content, Writer};
use super::halt::Halt;
use super::lag::{peek, sid_of};
use super::light_client::LightClient;
use super::manner::{Circumstances, Manner};
use super::table::{Findings, Table, show};
use super::usage::Watch;
use crate::failure::Failure;
use crate::signal;

/// Writing before the node ends.
const LOAD: Duration = Duration::from_secs(1);
const QUICK_LOAD: Duration = Duration::from_millis(200);
/// Longest wait for a good response and for the detection.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(1);
const CONTENT: Content = Content { attributes: 1, size: 1_024 };

/// The measurement.
#[derive(Debug, Args)]
pub(crate) struct FailoverBench {
    /// How often each of the two is done
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Clients that write
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    #[command(flatten)]
    replication: Replication,
    #[command(flatten)]
    manner: Manner,
}

/// How the node ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum End {
    /// SIGKILL: the process is gone.
    Killed,
    /// SIGSTOP: the process is there and silent.
    Stopped,
}

/// One end of a node.
#[derive(Debug, Serialize)]
struct Round {
    end: End,
    acknowledged: u64,
    lost: u64,
    /// Until the other node counted the first one as gone.
    detection_ms: f64,
    /// Until a write at the other node was acknowledged.
    first_good_ms: f64,
    /// The second less the first.
    recovery_ms: f64,
}

/// What was found.
#[derive(Debug, Serialize)]
struct FailoverReport {
    replication: String,
    rounds: Vec<Round>,
    #[serde(flatten)]
    circumstances: Circumstances,
}

impl FailoverBench {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        if self.replication.manager == "local" {
            return Err(Failure::Usage("manager `local` has nothing to fail over to".to_owned()));
        }
        let halt = Halt::listen()?;
        let Replication { mode, manager } = &self.replication;
        let replication = format!("2 nodes, {mode}, {manager}, drop time 3 s");
        let mut report =
            FailoverReport { replication, rounds: Vec::new(), circumstances: Circumstances::default() };
        let rounds = if self.manner.quick { 1 } else { self.rounds };
        for _ in 0..rounds {
            for end in [End::Killed, End::Stopped] {
                if !halt.asked() {
                    let mut nodes = Nodes::start(2, &self.replication).await?;
                    let watch = Watch::start(vec![nodes.id(1).unwrap_or_default()]);
                    let played = self.round(&mut nodes, end, &halt).await;
                    report.circumstances.note(&watch.stop());
                    nodes.stop().await;
                    report.rounds.push(played?);
                }
            }
        }
        report.circumstances.interrupted = halt.asked();
        show(&report, self.manner.json)
    }

    async fn round(&self, nodes: &mut Nodes, end: End, halt: &Halt) -> Result<Round, Failure> {
        let mut probe = Writer::new(LightClient::new(nodes.http(0)), CONTENT);
        probe.fill().await.map_err(Failure::Failed)?;
        let mut writers = JoinSet::new();
        for _ in 0..self.connections {
            let mut writer = Writer::new(LightClient::new(nodes.http(0)), CONTENT);
            writer.fill().await.map_err(Failure::Failed)?;
            let sid = sid_of(&mut writer.http).await?;
            writers.spawn(write_until_it_fails(writer, sid));
        }
        let load = halt.after(if self.manner.quick { QUICK_LOAD } else { LOAD });
        while !load.is_over() {
            sleep(PAUSE).await;
        }
        let began = Instant::now();
        end_node(nodes, end).await?;
        let detection = async { until_alone(nodes).await.map(|()| began.elapsed()) };
        let other = Writer::new(probe.http.at_other(nodes.http(1)), CONTENT);
        let first_good = async { until_acknowledged(other).await.map(|()| began.elapsed()) };
        let (detection, first_good) = tokio::try_join!(detection, first_good)?;
        // A stopped process holds its connections: with its end the writers learn theirs.
        nodes.kill(0).await;
        let (acknowledged, lost) = lost(writers, nodes).await?;
        let [detection_ms, first_good_ms] = [detection, first_good].map(|time| time.as_secs_f64() * 1e3);
        let recovery_ms = (first_good_ms - detection_ms).max(0.0);
        Ok(Round { end, acknowledged, lost, detection_ms, first_good_ms, recovery_ms })
    }
}

/// Writes until the node is gone; the session and the last version that was acknowledged.
async fn write_until_it_fails(mut writer: Writer, sid: String) -> (String, u64) {
    let mut acknowledged = 0;
    while writer.write().await.is_ok() {
        acknowledged = writer.version;
    }
    (sid, acknowledged)
}

/// Reads every session from the other node: acknowledged writes, and sessions whose last one is not there.
async fn lost(mut writers: JoinSet<(String, u64)>, nodes: &Nodes) -> Result<(u64, u64), Failure> {
    let mut reader = LightClient::new(nodes.http(1));
    let (mut all, mut lost) = (0, 0);
    while let Some(done) = writers.join_next().await {
        let (sid, acknowledged) =
            done.map_err(|error| Failure::Failed(format!("a client failed: {error}")))?;
        let found = peek(&mut reader, &sid).await?.unwrap_or(0);
        all += acknowledged;
        lost += acknowledged.saturating_sub(found);
    }
    Ok((all, lost))
}

/// Ready once the other node sees no other member.
async fn until_alone(nodes: &Nodes) -> Result<(), Failure> {
    let began = Instant::now();
    while nodes.metrics_of(1).await?.value("sessile_members") > 1.0 {
        if began.elapsed() > PATIENCE {
            return Err(Failure::Failed(format!("the end of a node was not noticed within {PATIENCE:?}")));
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Ready once a write was acknowledged.
async fn until_acknowledged(mut writer: Writer) -> Result<(), Failure> {
    let began = Instant::now();
    while let Err(why) = writer.write().await {
        if began.elapsed() > PATIENCE {
            return Err(Failure::Failed(format!("no good response within {PATIENCE:?}: {why}")));
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

async fn end_node(nodes: &mut Nodes, end: End) -> Result<(), Failure> {
    match end {
        End::Killed => {
            nodes.kill(0).await;
            Ok(())
        }
        End::Stopped => {
            let id = nodes.id(0);
            signal::stop(
                id.ok_or_else(|| Failure::Failed("the node ended before it was stopped".to_owned()))?,
            )
        }
    }
}

impl Findings for FailoverReport {
    fn table(&self) -> Table {
        let mut table = Table::new(["node", "acknowledged", "lost", "detection", "recovery", "first good"]);
        for Round { end, acknowledged, lost, detection_ms, first_good_ms, recovery_ms } in &self.rounds {
            let end = match end {
                End::Killed => "killed (SIGKILL)",
                End::Stopped => "stopped (SIGSTOP)",
            };
            let times = [detection_ms, recovery_ms, first_good_ms].map(|ms| format!("{ms:.1} ms"));
            let [detection, recovery, first_good] = times;
            let counts = [acknowledged, lost].map(u64::to_string);
            let [acknowledged, lost] = counts;
            table.row([end.to_owned(), acknowledged, lost, detection, recovery, first_good]);
        }
        table.remark(format!("{}; without a balancer's own time to notice", self.replication));
        if self.circumstances.interrupted {
            table.remark("interrupted: this is what was measured");
        }
        table
    }
}
