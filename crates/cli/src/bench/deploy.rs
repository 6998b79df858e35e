//! `sessile bench deploy`: how long an archive takes until it runs on every node.

use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use serde::Serialize;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::cluster::{Nodes, Replication};
use super::halt::Halt;
use super::manner::{Circumstances, Manner};
use super::table::{Findings, Table, microseconds, show};
use super::usage::{Usage, Watch};
use crate::failure::Failure;

/// What makes a node take part in the farm, with a directory of its own.
const FARM: &str = "[farm]\nwatch_dir = \"webapps\"\nwatch = false\nmax_archive_bytes = \"1GiB\"\n";
/// Longest deployment that is measured.
const BOUND: Duration = Duration::from_secs(300);
/// Megabytes when it is only about function.
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
    /// Deployments of each, one over the other
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    times: u64,
    #[command(flatten)]
    manner: Manner,
}

/// What was found.
#[derive(Debug, Serialize)]
struct DeployReport {
    megabytes: u64,
    rows: Vec<Row>,
    #[serde(flatten)]
    circumstances: Circumstances,
}

/// Deployments on so many nodes, in seconds from the question to the answer of all nodes.
#[derive(Debug, Serialize)]
struct Row {
    nodes: u64,
    fastest: f64,
    median: f64,
    slowest: f64,
}

impl DeployBench {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let halt = Halt::listen()?;
        let megabytes = if self.manner.quick { QUICK } else { self.megabytes };
        let mut report =
            DeployReport { megabytes, rows: Vec::new(), circumstances: Circumstances::default() };
        for nodes in &self.nodes {
            let mut tries = 0;
            loop {
                tries += 1;
                let (row, usage) = measure(*nodes, megabytes, self.times).await?;
                if halt.asked() || !self.manner.again(&usage, tries)? {
                    report.circumstances.note(&usage);
                    report.rows.push(row);
                    break;
                }
            }
            if halt.asked() {
                report.circumstances.interrupted = true;
                break;
            }
        }
        show(&report, self.manner.json)
    }
}

async fn measure(count: u64, megabytes: u64, times: u64) -> Result<(Row, Usage), Failure> {
    let nodes = Nodes::start_with(count as usize, &Replication::new("pipelined", "delta"), FARM).await?;
    let watch = Watch::start(nodes.ids());
    let deployed = deploy(&nodes, megabytes, times).await;
    let usage = watch.stop();
    nodes.stop().await;
    let mut seconds = deployed?;
    seconds.sort_by(f64::total_cmp);
    let (fastest, slowest) = (seconds[0], seconds[seconds.len() - 1]);
    Ok((Row { nodes: count, fastest, median: seconds[seconds.len() / 2], slowest }, usage))
}

/// How long each deployment took.
async fn deploy(nodes: &Nodes, megabytes: u64, times: u64) -> Result<Vec<f64>, Failure> {
    let client = nodes.admin_client(0)?;
    let mut seconds = Vec::new();
    for _ in 0..times {
        let archive = archive(megabytes).map_err(|error| Failure::Failed(format!("an archive: {error}")))?;
        let began = Instant::now();
        let told = client.send("/apps/deploy?name=bench.zip", archive, BOUND).await?;
        seconds.push(began.elapsed().as_secs_f64());
        let nodes = told["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !nodes.iter().all(|node| node["result"] == "active") {
            return Err(Failure::Failed(format!("not every node runs it: {told}")));
        }
    }
    Ok(seconds)
}

/// An archive that was never there before.
fn archive(megabytes: u64) -> std::io::Result<Bytes> {
    let mut ballast = vec![0; (megabytes as usize) << 20];
    getrandom::fill(&mut ballast).map_err(std::io::Error::other)?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [("app.toml", &b"manifest = 1\n"[..]), ("static/ballast", &ballast)] {
        zip.start_file(
            name,
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored),
        )?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner().into())
}

impl Findings for DeployReport {
    fn table(&self) -> Table {
        let mut table =
            Table::new([&format!("{} MB, until it runs on", self.megabytes), "fastest", "median", "slowest"]);
        let time = |seconds: f64| microseconds(seconds * 1e6);
        for row in &self.rows {
            let [fastest, median, slowest] = [row.fastest, row.median, row.slowest].map(time);
            table.row([format!("{} nodes", row.nodes), fastest, median, slowest]);
        }
        table.remark("a zip of one static file, uploaded to one node; no component is compiled");
        table.remark(self.circumstances.words());
        table
    }
}
