//! `sessile bench scale`: what a write costs with 2 to 8 nodes on this machine, in messages and bytes.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::client_pool::{ClientPool, SessionContent};
use super::cluster::{Nodes, Replication};
use super::interrupt::Interrupt;
use super::latency::Percentiles;
use super::load::{Cost, loaded};
use super::output_options::BenchFindings;
use super::report;
use super::report::plot::{Across, Lines};
use super::run_settings::{Circumstances, RunSettings};
use super::table::{Table, known, microseconds};
use crate::failure::Failure;

const TIME: Duration = Duration::from_secs(2);
const QUICK: Duration = Duration::from_millis(200);

/// The measurement.
#[derive(Debug, Args)]
pub(crate) struct ScaleBench {
    /// The largest cluster
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(2..=8))]
    nodes: u8,
    /// Clients, all at the first node
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Bytes of each value
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    size: u32,
    #[command(flatten)]
    replication: Replication,
    #[command(flatten)]
    settings: RunSettings,
}

/// The findings.
#[derive(Debug, Serialize)]
struct ScaleReport {
    replication: String,
    value_bytes: u32,
    clusters: Vec<ScaleRow>,
    #[serde(flatten)]
    circumstances: Circumstances,
}

/// One size of cluster.
#[derive(Debug, Serialize)]
struct ScaleRow {
    nodes: u8,
    requests_per_second: f64,
    latency: Percentiles,
    cost: Option<Cost>,
}

impl ScaleBench {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let (interrupt, sink) = (Interrupt::listen()?, self.settings.output.begin("scale")?);
        let Replication { mode, manager } = &self.replication;
        let mut report = ScaleReport {
            replication: format!("{mode}, {manager}, encrypted"),
            value_bytes: self.size,
            clusters: Vec::new(),
            circumstances: Circumstances::default(),
        };
        let most = if self.settings.quick() { self.nodes.min(3) } else { self.nodes };
        for count in 2..=most {
            if interrupt.is_requested() {
                break;
            }
            let nodes = Nodes::start(count.into(), &self.replication).await?;
            let measured = self.measure(&nodes, count, &mut report.circumstances, &interrupt).await;
            nodes.stop().await;
            report.clusters.push(measured?);
        }
        report.circumstances.interrupted = interrupt.is_requested();
        sink.show(&report)
    }

    async fn measure(
        &self,
        nodes: &Nodes,
        count: u8,
        circumstances: &mut Circumstances,
        interrupt: &Interrupt,
    ) -> Result<ScaleRow, Failure> {
        let content = SessionContent { attributes: 1, size: self.size as usize };
        let mut client_pool = ClientPool::connect(nodes.http(0), self.connections.into(), content).await?;
        let time = if self.settings.quick() { QUICK } else { TIME };
        client_pool.drive(None, &interrupt.after(time / 4)).await;
        let mut tries = 0;
        loop {
            tries += 1;
            let (load, usage, cost) = loaded(&mut client_pool, Some(nodes), None, time, interrupt).await?;
            if interrupt.is_requested() || !self.settings.again(&usage, tries)? {
                circumstances.note(&usage);
                let (requests_per_second, latency) = (load.per_second(), load.latency.percentiles());
                return Ok(ScaleRow { nodes: count, requests_per_second, latency, cost });
            }
        }
    }
}

impl BenchFindings for ScaleReport {
    fn table(&self) -> Table {
        let mut table =
            Table::new(["nodes", "writes/s", "p50", "p99", "frames", "bytes", "CPU us", "link writes"]);
        for ScaleRow { nodes, requests_per_second, latency, cost } in &self.clusters {
            let of = |value: fn(&Cost) -> f64| cost.as_ref().map(value);
            table.row([
                nodes.to_string(),
                format!("{requests_per_second:.0}"),
                microseconds(latency.p50_us),
                microseconds(latency.p99_us),
                known(of(|cost| cost.frames), 2),
                known(of(|cost| cost.wire_bytes), 0),
                known(cost.and_then(|cost| cost.cpu_us), 1),
                known(of(|cost| cost.link_writes), 2),
            ]);
        }
        let (bytes, replication) = (self.value_bytes, &self.replication);
        table.remark(format!("for each write of {bytes} B at one node, all nodes together; {replication}"));
        table.remark(self.circumstances.words());
        table
    }

    fn rows(&self) -> Vec<report::Row> {
        let row = |ScaleRow { nodes, requests_per_second, latency, cost }: &ScaleRow| {
            let mut row = report::Row::new(format!("{nodes} nodes"));
            row.figure("acknowledged", "writes/s", *requests_per_second);
            row.latency("latency", latency);
            if let Some(cost) = cost {
                cost.figures(&mut row);
            }
            row
        };
        self.clusters.iter().map(row).collect()
    }

    fn circumstances(&self) -> Circumstances {
        self.circumstances
    }

    fn plots(&self) -> Vec<String> {
        let names: Vec<_> = self.clusters.iter().map(|row| row.nodes.to_string()).collect();
        let line = |caption, unit, value: fn(&Cost) -> f64| {
            let costs = self.clusters.iter().map(|row| row.cost.as_ref().map(value));
            let points = (0_u32..).map(f64::from).zip(costs).collect();
            let (across, lines) = (Across::Steps("nodes", &names), vec![("all nodes together", points)]);
            Lines { caption, across, unit, logarithmic: false, lines, marks: Vec::new() }.draw()
        };
        vec![
            line("messages between the nodes for a write", "frames", |cost| cost.frames),
            line("bytes between the nodes for a write", "bytes", |cost| cost.wire_bytes),
        ]
    }
}
