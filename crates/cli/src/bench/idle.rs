//! `sessile bench idle`: what many nodes without any request cost this machine, and how long they need to
//! meet when all start at once.

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::time::sleep;

use super::cluster::{Nodes, Replication};
use super::interrupt::Interrupt;
use super::output_options::BenchFindings;
use super::report::Row;
use super::run_settings::{Circumstances, RunSettings};
use super::table::{Table, known};
use super::usage::{Watch, resident};
use crate::failure::Failure;
use crate::local_cluster::Discovery;

/// How long the idle cluster is watched.
const TIME: Duration = Duration::from_secs(20);
const QUICK: Duration = Duration::from_secs(1);
/// How often it is looked whether that is over.
const PAUSE: Duration = Duration::from_millis(50);
/// Nodes of a --quick run.
const QUICK_NODES: u8 = 3;

/// The measurement.
#[derive(Debug, Args)]
pub(crate) struct IdleBench {
    /// Nodes that start at once
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(2..=64))]
    nodes: u8,
    /// How they find each other
    #[arg(long, value_enum, default_value_t = Found::Swim)]
    membership: Found,
    #[command(flatten)]
    settings: RunSettings,
}

/// How the nodes find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Found {
    Swim,
    Static,
}

/// The findings.
#[derive(Debug, Serialize)]
struct IdleReport {
    nodes: u8,
    membership: Found,
    /// From the first start until every node sees all others.
    met_ms: u64,
    watched_ms: u64,
    /// Processor time of all nodes together, as a share of one core.
    core_share: Option<f64>,
    resident_bytes_mean: Option<u64>,
    resident_bytes_max: Option<u64>,
    #[serde(flatten)]
    circumstances: Circumstances,
}

impl IdleBench {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let (interrupt, sink) = (Interrupt::listen()?, self.settings.output.begin("idle")?);
        let count = if self.settings.quick() { self.nodes.min(QUICK_NODES) } else { self.nodes };
        let discovery = match self.membership {
            Found::Swim => Discovery::Swim,
            Found::Static => Discovery::Static,
        };
        let began = Instant::now();
        let replication = Replication::new("pipelined", "delta");
        let nodes = Nodes::start_found_by(count.into(), &replication, discovery).await?;
        let met = began.elapsed();
        let (ids, watched) = (nodes.ids(), Instant::now());
        let watch = Watch::start(ids.clone());
        let time = if self.settings.quick() { QUICK } else { TIME };
        let interval = interrupt.after(time);
        while !interval.is_over() {
            sleep(PAUSE).await;
        }
        let (usage, watched) = (watch.stop(), watched.elapsed());
        let residents: Option<Vec<u64>> = ids.iter().map(|id| resident(*id)).collect();
        nodes.stop().await;
        let mut circumstances = Circumstances::default();
        circumstances.note(&usage);
        circumstances.interrupted = interrupt.is_requested();
        sink.show(&IdleReport {
            nodes: count,
            membership: self.membership,
            met_ms: u64::try_from(met.as_millis()).unwrap_or(u64::MAX),
            watched_ms: u64::try_from(watched.as_millis()).unwrap_or(u64::MAX),
            core_share: usage.cpu.map(|cpu| cpu.as_secs_f64() / watched.as_secs_f64()),
            resident_bytes_mean: residents
                .as_ref()
                .map(|all| all.iter().sum::<u64>() / all.len().max(1) as u64),
            resident_bytes_max: residents.and_then(|all| all.into_iter().max()),
            circumstances,
        })
    }
}

impl BenchFindings for IdleReport {
    fn table(&self) -> Table {
        let mut table = Table::new(["nodes", "met after", "of a core", "MB a node", "MB the largest"]);
        let megabytes = |bytes: Option<u64>| known(bytes.map(|bytes| bytes as f64 / 1e6), 1);
        table.row([
            self.nodes.to_string(),
            format!("{} ms", self.met_ms),
            format!("{} %", known(self.core_share.map(|share| share * 100.0), 1)),
            megabytes(self.resident_bytes_mean),
            megabytes(self.resident_bytes_max),
        ]);
        table.remark(
            "all nodes started at once, then idle; the processor's share is of all nodes together".to_owned(),
        );
        table.remark(self.circumstances.words());
        table
    }

    fn rows(&self) -> Vec<Row> {
        let mut row = Row::new(format!("{} nodes", self.nodes));
        row.figure("until all have met", "ms", self.met_ms as f64);
        if let Some(share) = self.core_share {
            row.figure("processor", "% of a core", share * 100.0);
        }
        if let Some(bytes) = self.resident_bytes_mean {
            row.figure("memory of a node", "bytes", bytes as f64);
        }
        vec![row]
    }

    fn circumstances(&self) -> Circumstances {
        self.circumstances
    }

    fn plots(&self) -> Vec<String> {
        Vec::new()
    }
}
