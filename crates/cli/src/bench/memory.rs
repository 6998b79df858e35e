//! `sessile bench memory`: memory growth of a node for each session copy, against the session's content.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client_pool::{PoolClient, SessionContent};
use super::cluster::{Nodes, Replication};
use super::interrupt::{Interrupt, Interval};
use super::light_client::LightClient;
use super::output_options::BenchFindings;
use super::report::{Row, plot};
use super::run_settings::{Circumstances, RunSettings};
use super::table::Table;
use super::usage::resident;
use crate::failure::Failure;

/// Warm-up sessions: they fill memory that grows only once, before the measurement.
const WARM_UP: u64 = 2_000;
/// Sessions in a --quick run.
const QUICK: u64 = 500;
/// Clients that create sessions.
const MAKERS: u64 = 16;
/// Longest time to create them.
const BOUND: Duration = Duration::from_secs(600);
/// Longest wait until the other node has all copies, and the pause between two polls.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
/// The small session of the thresholds (3 attributes, 128 B with names) and the session of 1 KB.
pub(super) const SMALL: SessionContent = SessionContent { attributes: 3, size: 41 };
pub(super) const KILOBYTE: SessionContent = SessionContent { attributes: 1, size: 1_022 };

/// The measurement.
#[derive(Debug, Args)]
pub(crate) struct MemoryBench {
    /// Sessions of each size
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=900_000))]
    sessions: u64,
    #[command(flatten)]
    settings: RunSettings,
}

/// The findings.
#[derive(Debug, Serialize)]
struct MemoryReport {
    sizes: Vec<Growth>,
    interrupted: bool,
}

/// Memory growth for sessions of one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Growth {
    pub(super) sessions: u64,
    /// Bytes of names and values of one session.
    pub(super) content_bytes: u64,
    /// Growth of the node that created the sessions.
    pub(super) origin_bytes: f64,
    /// Growth of the other node, which holds copies only.
    pub(super) copy_bytes: f64,
}

impl Growth {
    /// Ratio of one copy's growth to its content.
    pub(super) fn ratio(&self) -> f64 {
        self.copy_bytes / self.content_bytes as f64
    }

    /// Bytes of a copy beyond its content.
    pub(super) fn fixed_bytes(&self) -> f64 {
        self.copy_bytes - self.content_bytes as f64
    }
}

impl MemoryBench {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let (interrupt, sink) = (Interrupt::listen()?, self.settings.output.begin("memory")?);
        let sessions = if self.settings.quick() { QUICK } else { self.sessions };
        let mut sizes = Vec::new();
        for content in [SMALL, KILOBYTE] {
            if !interrupt.is_requested() {
                sizes.push(growth(sessions, content, &interrupt).await?);
            }
        }
        sink.show(&MemoryReport { sizes, interrupted: interrupt.is_requested() })
    }
}

/// Creates sessions at one of two nodes and measures the growth of both.
pub(super) async fn growth(
    sessions: u64,
    content: SessionContent,
    interrupt: &Interrupt,
) -> Result<Growth, Failure> {
    let nodes = Nodes::start(2, &Replication::new("pipelined", "delta")).await?;
    let measured = measure(&nodes, sessions, content, interrupt).await;
    nodes.stop().await;
    measured
}

async fn measure(
    nodes: &Nodes,
    sessions: u64,
    content: SessionContent,
    interrupt: &Interrupt,
) -> Result<Growth, Failure> {
    let warm = fill(nodes.http(0), WARM_UP, content, interrupt).await?;
    until_copied(nodes, warm).await?;
    let before = memory_of(nodes)?;
    let made = fill(nodes.http(0), sessions, content, interrupt).await?;
    until_copied(nodes, warm + made).await?;
    let after = memory_of(nodes)?;
    let each = |node: usize| (after[node] as f64 - before[node] as f64) / made.max(1) as f64;
    Ok(Growth { sessions: made, content_bytes: held(content), origin_bytes: each(0), copy_bytes: each(1) })
}

/// Bytes of names and values of one session; names are `a` and a number.
fn held(content: SessionContent) -> u64 {
    (0..content.attributes).map(|number| format!("a{number}").len() as u64 + content.size as u64).sum()
}

fn memory_of(nodes: &Nodes) -> Result<[u64; 2], Failure> {
    let of = |node| nodes.id(node).and_then(resident);
    let both = of(0).zip(of(1)).map(|(first, second)| [first, second]);
    both.ok_or_else(|| Failure::Failed("this system does not report the memory of a process".to_owned()))
}

/// Ready when the other node holds this many sessions.
async fn until_copied(nodes: &Nodes, sessions: u64) -> Result<(), Failure> {
    let began = Instant::now();
    while nodes.metrics_of(1).await?.value("sessile_sessions") < sessions as f64 {
        if began.elapsed() > PATIENCE {
            return Err(Failure::Failed("the other node did not receive all copies".to_owned()));
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Creates sessions of that content; returns their number when done or interrupted.
pub(super) async fn fill(
    at: SocketAddr,
    sessions: u64,
    content: SessionContent,
    interrupt: &Interrupt,
) -> Result<u64, Failure> {
    let (mut makers, interval) = (JoinSet::new(), interrupt.after(BOUND));
    for maker in 0..MAKERS {
        let share = sessions / MAKERS + u64::from(maker < sessions % MAKERS);
        makers.spawn(make(at, share, content, interval.clone()));
    }
    let mut made = 0;
    while let Some(done) = makers.join_next().await {
        let done = done.map_err(|error| Failure::Failed(format!("a client failed: {error}")))?;
        made += done.map_err(|why| Failure::Failed(format!("a session was not created: {why}")))?;
    }
    Ok(made)
}

async fn make(
    at: SocketAddr,
    sessions: u64,
    content: SessionContent,
    interval: Interval,
) -> Result<u64, String> {
    let mut client = PoolClient::new(LightClient::new(at), content);
    for made in 0..sessions {
        if interval.is_over() {
            return Ok(made);
        }
        client.http.forget();
        client.fill().await?;
    }
    Ok(sessions)
}

impl BenchFindings for MemoryReport {
    fn table(&self) -> Table {
        let mut table =
            Table::new(["memory", "sessions", "content", "origin", "copy", "copy / content", "fixed"]);
        for growth in &self.sizes {
            let Growth { sessions, content_bytes, origin_bytes, copy_bytes } = growth;
            table.row([
                format!("{content_bytes} B"),
                sessions.to_string(),
                format!("{content_bytes} B"),
                format!("{origin_bytes:.0} B"),
                format!("{copy_bytes:.0} B"),
                format!("{:.2}", growth.ratio()),
                format!("{:.0} B", growth.fixed_bytes()),
            ]);
        }
        table.remark("growth of resident memory for each session; origin: the node that created it");
        if self.interrupted {
            table.remark("interrupted: the figures are those measured so far");
        }
        table
    }

    fn rows(&self) -> Vec<Row> {
        let row = |growth: &Growth| {
            let mut row = Row::new(format!("{} B", growth.content_bytes));
            row.figure("sessions", "", growth.sessions as f64);
            row.figure("origin", "B", growth.origin_bytes);
            row.figure("copy", "B", growth.copy_bytes);
            row.figure("copy / content", "", growth.ratio());
            row.figure("fixed", "B", growth.fixed_bytes());
            row
        };
        self.sizes.iter().map(row).collect()
    }

    /// Other programs do not affect the memory of these processes.
    fn circumstances(&self) -> Circumstances {
        Circumstances { foreign_cpu: None, interrupted: self.interrupted }
    }

    fn plots(&self) -> Vec<String> {
        let bars = |of: &Growth| {
            let Growth { content_bytes, origin_bytes, copy_bytes, .. } = of;
            let bytes =
                [("content", *content_bytes as f64), ("origin", *origin_bytes), ("copy", *copy_bytes)];
            plot::bars(&format!("memory for a session of {content_bytes} B"), "bytes", &bytes)
        };
        self.sizes.iter().map(bars).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_contents_match_the_thresholds() {
        assert_eq!(held(SMALL), 129);
        assert_eq!(held(KILOBYTE), 1_024);
    }

    #[test]
    fn ratio_divides_growth_by_content() {
        let growth = Growth { sessions: 10, content_bytes: 100, origin_bytes: 300.0, copy_bytes: 250.0 };
        assert_eq!((growth.ratio(), growth.fixed_bytes()), (2.5, 150.0));
    }
}
