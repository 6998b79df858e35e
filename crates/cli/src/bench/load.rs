//! `sessile bench load`: requests a second, their latencies, and what they cost the nodes.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::cluster::{Nodes, Replication};
use super::crew::{Content, Crew, Load};
use super::exposed::Exposed;
use super::halt::Halt;
use super::latency::Percentiles;
use super::manner::{Circumstances, Manner};
use super::table::{Findings, Table, known, microseconds, show};
use super::traffic::Traffic;
use super::usage::{Usage, Watch};
use crate::failure::Failure;

/// Load before anything is measured, so that all is warm.
const WARM_UP: Duration = Duration::from_millis(500);
/// The same, and the measurement itself, when it is only about function.
const QUICK: Duration = Duration::from_millis(200);

/// The load.
#[derive(Debug, Args)]
pub(crate) struct LoadBench {
    /// Clients, each with a connection and a session
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Requests a second of all clients together, whether answers come or not; without it each client sends its next
    /// request when it has its answer
    #[arg(long, value_name = "PER SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// How many seconds
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
    /// A server that runs and keeps clusterapp's contract, as host:port, instead of two nodes that are started; then
    /// nothing is known of its cost
    #[arg(long, value_name = "HOST:PORT")]
    url: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

/// What was found.
#[derive(Debug, Serialize)]
struct LoadReport {
    connections: u16,
    intended_rate: Option<u32>,
    value_bytes: u32,
    replication: String,
    requests_per_second: f64,
    latency: Percentiles,
    failed: u64,
    never_sent: u64,
    trouble: Option<String>,
    cost: Option<Cost>,
    #[serde(flatten)]
    circumstances: Circumstances,
}

/// What a write cost the nodes; only of those that were started here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Cost {
    /// Processor time of all nodes.
    pub(super) cpu_us: Option<f64>,
    /// Frames that the nodes sent to each other, acknowledgements and heartbeats included.
    pub(super) frames: f64,
    /// Bytes that they sent to each other, encrypted.
    pub(super) wire_bytes: f64,
    /// Calls that wrote to a link, acknowledgements included.
    pub(super) link_writes: f64,
}

impl Cost {
    /// The cost of one of so many writes.
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
}

impl LoadBench {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let halt = Halt::listen()?;
        let report = match &self.url {
            Some(url) => self.measure(address_of(url)?, None, &halt).await?,
            None => {
                let nodes = Nodes::start(2, &self.replication).await?;
                let measured = self.measure(nodes.http(0), Some(&nodes), &halt).await;
                nodes.stop().await;
                measured?
            }
        };
        show(&report, self.manner.json)
    }

    async fn measure(
        &self,
        at: SocketAddr,
        nodes: Option<&Nodes>,
        halt: &Halt,
    ) -> Result<LoadReport, Failure> {
        let content = Content { attributes: self.attributes, size: self.size as usize };
        let mut crew = Crew::hire(at, self.connections.into(), content).await?;
        let rate = self.rate.map(f64::from);
        crew.drive(rate, &halt.after(if self.manner.quick { QUICK } else { WARM_UP })).await;
        let time = if self.manner.quick { QUICK } else { Duration::from_secs(self.time) };
        let mut tries = 0;
        loop {
            tries += 1;
            let (load, usage, cost) = loaded(&mut crew, nodes, rate, time, halt).await?;
            // Without the nodes' processes, their share counts as foreign: it cannot be judged.
            if nodes.is_none() || halt.asked() || !self.manner.again(&usage, tries)? {
                return Ok(self.report(&load, &usage, cost, nodes.is_some(), halt));
            }
        }
    }

    fn report(&self, load: &Load, usage: &Usage, cost: Option<Cost>, ours: bool, halt: &Halt) -> LoadReport {
        let Replication { mode, manager } = &self.replication;
        let foreign_cpu = usage.foreign.filter(|_| ours);
        LoadReport {
            connections: self.connections,
            intended_rate: self.rate,
            value_bytes: self.size,
            replication: self.url.clone().unwrap_or_else(|| format!("2 nodes, {mode}, {manager}, encrypted")),
            requests_per_second: load.per_second(),
            latency: load.latency.percentiles(),
            failed: load.failed,
            never_sent: load.never_sent,
            trouble: load.trouble.clone(),
            cost,
            circumstances: Circumstances { foreign_cpu, interrupted: halt.asked() },
        }
    }
}

/// One stretch of load, with what it cost the nodes.
pub(super) async fn loaded(
    crew: &mut Crew,
    nodes: Option<&Nodes>,
    rate: Option<f64>,
    time: Duration,
    halt: &Halt,
) -> Result<(Load, Usage, Option<Cost>), Failure> {
    let Some(nodes) = nodes else {
        let watch = Watch::start(Vec::new());
        let load = crew.drive(rate, &halt.after(time)).await;
        return Ok((load, watch.stop(), None));
    };
    let before = nodes.metrics().await?;
    let watch = Watch::start(nodes.ids());
    let load = crew.drive(rate, &halt.after(time)).await;
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

impl Findings for LoadReport {
    fn table(&self) -> Table {
        let loop_kind = self
            .intended_rate
            .map_or_else(|| "closed loop".to_owned(), |rate| format!("open loop, {rate} intended a second"));
        let Self { connections, value_bytes, replication, .. } = self;
        let mut table = Table::new(["load", &format!("{connections} connections, {loop_kind}")]);
        let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
        row("server", replication.clone());
        row("value", format!("{value_bytes} B"));
        row("acknowledged writes a second", format!("{:.0}", self.requests_per_second));
        let Percentiles { p50_us, p90_us, p99_us, p999_us, max_us, .. } = self.latency;
        for (name, value) in
            [("p50", p50_us), ("p90", p90_us), ("p99", p99_us), ("p99.9", p999_us), ("longest", max_us)]
        {
            row(name, microseconds(value));
        }
        row("failed", self.failed.to_string());
        if self.intended_rate.is_some() {
            row("intended but never sent", self.never_sent.to_string());
        }
        if let Some(Cost { cpu_us, frames, wire_bytes, link_writes }) = self.cost {
            row("CPU of all nodes for a write, us", known(cpu_us, 1));
            row("frames between nodes for a write", format!("{frames:.2}"));
            row("bytes between nodes for a write", format!("{wire_bytes:.0}"));
            row("writes to links for a write", format!("{link_writes:.2}"));
        }
        if let Some(trouble) = &self.trouble {
            table.remark(format!("the first failure: {trouble}"));
        }
        table.remark(self.circumstances.words());
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for written in ["127.0.0.1:80", "http://127.0.0.1:80/"] {
            assert_eq!(address_of(written).unwrap().port(), 80);
        }
        assert!(matches!(address_of("127.0.0.1"), Err(Failure::Usage(_))));
    }

    #[test]
    fn costs_are_for_one_write() {
        let usage = Usage { cpu: Some(Duration::from_millis(30)), foreign: Some(0.0) };
        let cost = Cost::of(1_000, &usage, &Exposed::default());
        assert_eq!(cost, Cost { cpu_us: Some(30.0), frames: 0.0, wire_bytes: 0.0, link_writes: 0.0 });
        assert_eq!(Cost::of(0, &usage, &Exposed::default()).cpu_us, Some(30_000.0));
    }
}
