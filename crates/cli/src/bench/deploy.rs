//! `sessile bench deploy`: how long an archive takes until it runs on every node.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::archive_payload::ArchivePayload;
use super::cluster::{Nodes, Replication};
use super::interrupt::Interrupt;
use super::output_options::BenchFindings;
use super::report;
use super::run_settings::{Circumstances, RunSettings};
use super::table::{Table, microseconds};
use super::usage::{Usage, Watch};
use crate::failure::Failure;

/// The farm configuration of each node.
const FARM: &str = "[farm]\nwatch_dir = \"webapps\"\nwatch = false\nmax_archive_bytes = \"1GiB\"\n";
/// Longest deployment that is measured.
const BOUND: Duration = Duration::from_secs(300);
/// Megabytes in a --quick run.
const QUICK: u64 = 1;

/// The measurement.
#[derive(Debug, Args)]
pub(crate) struct DeployBench {
    /// Size of the archive, in megabytes that do not compress
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=200))]
    megabytes: u64,
    /// Numbers of nodes, 2 to 8
    #[arg(long, value_delimiter = ',', default_value = "2,4", value_parser = clap::value_parser!(u64).range(2..=8))]
    nodes: Vec<u64>,
    /// Deploy this component instead of a static archive, padded to that size with an unused section
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Deployments for each number of nodes, each replacing the previous one
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    times: u64,
    #[command(flatten)]
    settings: RunSettings,
}

/// The findings.
#[derive(Debug, Serialize)]
struct DeployReport {
    megabytes: u64,
    /// Description of the deployed archive.
    payload: String,
    rows: Vec<DeployRow>,
    #[serde(flatten)]
    circumstances: Circumstances,
}

/// Deployments on one number of nodes, in seconds from the request until all nodes answered.
#[derive(Debug, Serialize)]
struct DeployRow {
    nodes: u64,
    fastest: f64,
    median: f64,
    slowest: f64,
    /// Phases of the median deployment, as reported by the farm.
    parts: Parts,
}

/// The phases of a deployment, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
struct Parts {
    /// Check and compilation on the node that received the upload.
    prepared: f64,
    /// Transfer to and compilation on the other nodes.
    carried: f64,
    switched: f64,
}

/// One deployment.
#[derive(Debug)]
struct Deployed {
    seconds: f64,
    parts: Parts,
}

impl DeployBench {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let (interrupt, sink) = (Interrupt::listen()?, self.settings.output.begin("deploy")?);
        let megabytes = if self.settings.quick() { QUICK } else { self.megabytes };
        let payload = ArchivePayload::new(self.component.as_deref(), megabytes)?;
        let mut report = DeployReport {
            megabytes: payload.megabytes(),
            payload: payload.words(),
            rows: Vec::new(),
            circumstances: Circumstances::default(),
        };
        for nodes in &self.nodes {
            let mut tries = 0;
            loop {
                tries += 1;
                let (row, usage) = measure(*nodes, &payload, self.times).await?;
                if interrupt.is_requested() || !self.settings.again(&usage, tries)? {
                    report.circumstances.note(&usage);
                    report.rows.push(row);
                    break;
                }
            }
            if interrupt.is_requested() {
                report.circumstances.interrupted = true;
                break;
            }
        }
        sink.show(&report)
    }
}

async fn measure(count: u64, payload: &ArchivePayload, times: u64) -> Result<(DeployRow, Usage), Failure> {
    let nodes = Nodes::start_with(count as usize, &Replication::new("pipelined", "delta"), FARM).await?;
    let watch = Watch::start(nodes.ids());
    let deployed = deploy(&nodes, payload, times).await;
    let usage = watch.stop();
    nodes.stop().await;
    let mut deployed = deployed?;
    deployed.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    let (fastest, slowest) = (deployed[0].seconds, deployed[deployed.len() - 1].seconds);
    let Deployed { seconds: median, parts } = deployed.swap_remove(deployed.len() / 2);
    Ok((DeployRow { nodes: count, fastest, median, slowest, parts }, usage))
}

/// Deploys sequentially.
async fn deploy(nodes: &Nodes, payload: &ArchivePayload, times: u64) -> Result<Vec<Deployed>, Failure> {
    let client = nodes.admin_client(0)?;
    let question = format!("/apps/deploy?name={}", payload.name());
    let mut deployed = Vec::new();
    for _ in 0..times {
        let archive = payload.fresh()?;
        let began = Instant::now();
        let reply = client.send(&question, archive, BOUND).await?;
        let seconds = began.elapsed().as_secs_f64();
        let nodes = reply["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !nodes.iter().all(|node| node["result"] == "active") {
            return Err(Failure::Failed(format!("not every node runs the deployed archive: {reply}")));
        }
        let part = |name: &str| reply["took_ms"][name].as_f64().unwrap_or_default() / 1e3;
        let (prepared, carried, switched) = (part("prepared"), part("carried"), part("switched"));
        deployed.push(Deployed { seconds, parts: Parts { prepared, carried, switched } });
    }
    Ok(deployed)
}

impl BenchFindings for DeployReport {
    fn table(&self) -> Table {
        let first = format!("{} MB, until it runs on", self.megabytes);
        let mut table =
            Table::new([&first, "fastest", "median", "slowest", "prepared", "carried", "switched"]);
        let time = |seconds: f64| microseconds(seconds * 1e6);
        for row in &self.rows {
            let [fastest, median, slowest] = [row.fastest, row.median, row.slowest].map(time);
            let Parts { prepared, carried, switched } = row.parts;
            let [prepared, carried, switched] = [prepared, carried, switched].map(time);
            table.row([nodes_in_words(row.nodes), fastest, median, slowest, prepared, carried, switched]);
        }
        table.remark(&self.payload);
        table.remark(
            "of the median: prepared on the uploading node, then transferred to the other nodes and prepared there, then switched",
        );
        table.remark(self.circumstances.words());
        table
    }

    fn rows(&self) -> Vec<report::Row> {
        let row = |DeployRow { nodes, fastest, median, slowest, parts }: &DeployRow| {
            let mut row = report::Row::new(nodes_in_words(*nodes));
            row.figure("archive", "MB", self.megabytes as f64);
            let Parts { prepared, carried, switched } = parts;
            for (name, seconds) in [
                ("fastest", fastest),
                ("median", median),
                ("slowest", slowest),
                ("prepared", prepared),
                ("carried", carried),
                ("switched", switched),
            ] {
                row.figure(name, "s", *seconds);
            }
            row
        };
        self.rows.iter().map(row).collect()
    }

    fn circumstances(&self) -> Circumstances {
        self.circumstances
    }

    fn plots(&self) -> Vec<String> {
        let medians = self.rows.iter().map(|row| (nodes_in_words(row.nodes), row.median));
        let medians: Vec<_> = medians.collect();
        let bars: Vec<_> = medians.iter().map(|(name, median)| (name.as_str(), *median)).collect();
        vec![report::plot::bars("until an archive runs on all nodes, median", "s", &bars)]
    }
}

fn nodes_in_words(nodes: u64) -> String {
    format!("{nodes} nodes")
}
