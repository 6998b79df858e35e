//! `sessile bench load`: requests a second, their latencies and their cost on the nodes, for one or several
//! numbers of connections. Next: `load/findings.rs` presents the findings.

mod findings;

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use self::findings::{LoadReport, LoadRun};
use super::client_pool::{ClientPool, LoadResult, SessionContent};
use super::cluster::{Nodes, Replication};
use super::exposed::Exposed;
use super::interrupt::Interrupt;
use super::report::Row;
use super::run_settings::{Circumstances, RunSettings};
use super::traffic::Traffic;
use super::usage::{Usage, Watch};
use crate::failure::Failure;

/// Warm-up load before the measurement.
const WARM_UP: Duration = Duration::from_millis(500);
/// Warm-up and measurement in a --quick run.
const QUICK: Duration = Duration::from_millis(200);

/// The load.
#[derive(Debug, Args)]
pub(crate) struct LoadBench {
    /// Clients, each with a connection and a session; several numbers, such as 1,4,16,64, are measured one
    /// after the other
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_value = "16", value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: Vec<u16>,
    /// Requests a second of all clients together, whether answers come or not; without it each client sends
    /// its next request when it has its answer
    #[arg(long, value_name = "PER SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// How many seconds, for each number of connections
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    time: u64,
    /// Bytes of each value
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    size: u32,
    /// Attributes of each session; writes take turns among them
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1000))]
    attributes: u64,
    #[command(flatten)]
    replication: Replication,
    /// Load a running server with clusterapp's interface (host:port) instead of two nodes started for the
    /// run; its cost stays unknown
    #[arg(long, value_name = "HOST:PORT")]
    url: Option<String>,
    #[command(flatten)]
    settings: RunSettings,
}

/// Cost of one write on the nodes that this run started.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Cost {
    /// Processor time of all nodes.
    pub(super) cpu_us: Option<f64>,
    /// Frames that the nodes sent to each other, acknowledgements and heartbeats included.
    pub(super) frames: f64,
    /// Bytes that they sent to each other, encrypted.
    pub(super) wire_bytes: f64,
    /// Write calls on links, acknowledgements included.
    pub(super) link_writes: f64,
}

impl Cost {
    /// The cost of one write, from the totals of `writes` writes.
    pub(super) fn of(writes: u64, usage: &Usage, counted: &Exposed) -> Self {
        let each = |value: f64| value / writes.max(1) as f64;
        let Traffic { frames, wire_bytes, link_writes } = Traffic::of(counted);
        Self {
            cpu_us: usage.cpu.map(|cpu| each(cpu.as_secs_f64() * 1e6)),
            frames: each(frames),
            wire_bytes: each(wire_bytes),
            link_writes: each(link_writes),
        }
    }

    /// Adds the cost to a row of a report.
    pub(super) fn figures(&self, row: &mut Row) {
        row.figure("CPU for a write", "us", self.cpu_us);
        row.figure("frames for a write", "", self.frames);
        row.figure("bytes for a write", "B", self.wire_bytes);
        row.figure("link writes for a write", "", self.link_writes);
    }
}

impl LoadBench {
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        self.connections.sort_unstable();
        self.connections.dedup();
        let (interrupt, sink) = (Interrupt::listen()?, self.settings.output.begin("load")?);
        let report = match &self.url {
            Some(url) => self.measure(address_of(url)?, None, &interrupt).await?,
            None => {
                let nodes = Nodes::start(2, &self.replication).await?;
                let measured = self.measure(nodes.http(0), Some(&nodes), &interrupt).await;
                nodes.stop().await;
                measured?
            }
        };
        sink.show(&report)
    }

    /// Loads the server with one number of connections after the other.
    async fn measure(
        &self,
        at: SocketAddr,
        nodes: Option<&Nodes>,
        interrupt: &Interrupt,
    ) -> Result<LoadReport, Failure> {
        let Replication { mode, manager } = &self.replication;
        let mut report = LoadReport {
            intended_rate: self.rate,
            value_bytes: self.size,
            replication: self.url.clone().unwrap_or_else(|| format!("2 nodes, {mode}, {manager}, encrypted")),
            runs: Vec::new(),
            circumstances: Circumstances::default(),
        };
        for connections in &self.connections {
            if interrupt.is_requested() {
                break;
            }
            let (run, usage) = self.measure_one(*connections, at, nodes, interrupt).await?;
            report.runs.push(run);
            // Without the nodes' process ids, their CPU time would count as foreign, so it is not judged.
            if nodes.is_some() {
                report.circumstances.note(&usage);
            }
        }
        report.circumstances.interrupted = interrupt.is_requested();
        Ok(report)
    }

    async fn measure_one(
        &self,
        connections: u16,
        at: SocketAddr,
        nodes: Option<&Nodes>,
        interrupt: &Interrupt,
    ) -> Result<(LoadRun, Usage), Failure> {
        let content = SessionContent { attributes: self.attributes, size: self.size as usize };
        let mut client_pool = ClientPool::connect(at, connections.into(), content).await?;
        let rate = self.rate.map(f64::from);
        let (warm_up, time) = match self.settings.quick() {
            true => (QUICK, QUICK),
            false => (WARM_UP, Duration::from_secs(self.time)),
        };
        client_pool.drive(rate, &interrupt.after(warm_up)).await;
        let mut tries = 0;
        loop {
            tries += 1;
            let (load, usage, cost) = loaded(&mut client_pool, nodes, rate, time, interrupt).await?;
            if nodes.is_none() || interrupt.is_requested() || !self.settings.again(&usage, tries)? {
                return Ok((LoadRun::of(connections, load, cost), usage));
            }
        }
    }
}

/// One interval of load, with its cost on the nodes.
pub(super) async fn loaded(
    client_pool: &mut ClientPool,
    nodes: Option<&Nodes>,
    rate: Option<f64>,
    time: Duration,
    interrupt: &Interrupt,
) -> Result<(LoadResult, Usage, Option<Cost>), Failure> {
    let Some(nodes) = nodes else {
        let watch = Watch::start(Vec::new());
        let load = client_pool.drive(rate, &interrupt.after(time)).await;
        return Ok((load, watch.stop(), None));
    };
    let before = nodes.metrics().await?;
    let watch = Watch::start(nodes.ids());
    let load = client_pool.drive(rate, &interrupt.after(time)).await;
    let usage = watch.stop();
    let counted = nodes.metrics().await?.since(&before);
    let cost = Cost::of(load.writes(), &usage, &counted);
    Ok((load, usage, Some(cost)))
}

fn address_of(url: &str) -> Result<SocketAddr, Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::Usage(format!("--url {url}: {why}; write host:port, for example localhost:8080"))
    };
    let bare = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    let mut found = bare.to_socket_addrs().map_err(|error| wrong(&error))?;
    found.next().ok_or_else(|| wrong(&"no such host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_accepts_host_and_port() {
        for written in ["127.0.0.1:80", "http://127.0.0.1:80/"] {
            assert_eq!(address_of(written).unwrap().port(), 80);
        }
        assert!(matches!(address_of("127.0.0.1"), Err(Failure::Usage(_))));
    }

    #[test]
    fn costs_are_divided_by_the_writes() {
        let usage = Usage { cpu: Some(Duration::from_millis(30)), foreign: Some(0.0) };
        let cost = Cost::of(1_000, &usage, &Exposed::default());
        assert_eq!(cost, Cost { cpu_us: Some(30.0), frames: 0.0, wire_bytes: 0.0, link_writes: 0.0 });
        assert_eq!(Cost::of(0, &usage, &Exposed::default()).cpu_us, Some(30_000.0));
    }
}
