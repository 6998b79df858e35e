//! `sessile bench join`: a second node joins a full one; measures duration and bytes of the state transfer,
//! and client latency meanwhile.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::client_pool::{ClientPool, SessionContent};
use super::cluster::{Nodes, Replication};
use super::interrupt::Interrupt;
use super::latency::Percentiles;
use super::memory::fill;
use super::output_options::BenchFindings;
use super::report::Row;
use super::report::plot::{Across, Lines};
use super::run_settings::{Circumstances, RunSettings};
use super::table::{Table, microseconds};
use super::timeline::{Bin, Span, Timeline};
use super::traffic::Traffic;
use super::usage::Watch;
use crate::failure::Failure;

/// Requests a second of the foreground clients.
const RATE: f64 = 1_000.0;
const FOREGROUND: usize = 4;
/// Foreground load before and after the join.
const BEFORE: Duration = Duration::from_secs(2);
const QUICK_BEFORE: Duration = Duration::from_millis(300);
/// Longest measured join.
const BOUND: Duration = Duration::from_secs(120);
/// Room for all sessions of the largest run, and for the foreground clients' own.
const ROOM: &str = "[session]\nmax_active = 2_100_000\n";
/// Sessions in a --quick run.
const QUICK: u64 = 300;

/// The measurement.
#[derive(Debug, Args)]
pub(crate) struct JoinBench {
    /// Sessions that the first node holds
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..=2_000_000))]
    sessions: u64,
    /// Attributes of each
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    attributes: u64,
    /// Bytes of each value
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    size: u32,
    #[command(flatten)]
    settings: RunSettings,
}

/// The findings.
#[derive(Debug, Clone, Serialize)]
pub(super) struct JoinReport {
    pub(super) sessions: u64,
    /// The joiner's own figure: from the request for the state until the state is complete.
    pub(super) transfer_seconds: f64,
    /// From process start until the HTTP port was open.
    pub(super) serving_seconds: f64,
    /// Encrypted bytes on all links meanwhile, including the foreground's.
    pub(super) wire_bytes: f64,
    pub(super) before: Percentiles,
    /// Foreground latency from the start of the joiner's process until it served.
    pub(super) meanwhile: Percentiles,
    /// Foreground latency after that, for as long as before.
    pub(super) after: Percentiles,
    /// Foreground latency by intended start of the writes; 0 is the start of the joiner's process.
    pub(super) series: Vec<Bin>,
    #[serde(flatten)]
    pub(super) circumstances: Circumstances,
}

impl JoinBench {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let (interrupt, sink) = (Interrupt::listen()?, self.settings.output.begin("join")?);
        let sessions = if self.settings.quick() { QUICK } else { self.sessions };
        let content = SessionContent { attributes: self.attributes, size: self.size as usize };
        let mut tries = 0;
        let report = loop {
            tries += 1;
            let (report, usage) = join(sessions, content, self.settings.quick(), &interrupt).await?;
            if interrupt.is_requested() || !self.settings.again(&usage, tries)? {
                break report;
            }
        };
        sink.show(&report)
    }
}

/// Fills a node, lets another node join, and measures the join.
pub(super) async fn join(
    sessions: u64,
    content: SessionContent,
    quick: bool,
    interrupt: &Interrupt,
) -> Result<(JoinReport, super::usage::Usage), Failure> {
    let mut nodes = Nodes::prepare(2, &Replication::new("pipelined", "delta"), ROOM)?;
    nodes.launch(0)?;
    nodes.until_serving(0).await?;
    let measured = measure(&mut nodes, sessions, content, quick, interrupt).await;
    nodes.stop().await;
    measured
}

async fn measure(
    nodes: &mut Nodes,
    sessions: u64,
    content: SessionContent,
    quick: bool,
    interrupt: &Interrupt,
) -> Result<(JoinReport, super::usage::Usage), Failure> {
    fill(nodes.http(0), sessions, content, interrupt).await?;
    let mut client_pool = ClientPool::connect(nodes.http(0), FOREGROUND, content).await?.with_moments();
    let (calm, from) = (if quick { QUICK_BEFORE } else { BEFORE }, Instant::now());
    let before = client_pool.drive(Some(RATE), &interrupt.after(calm)).await;
    let (began, counted) = (Instant::now(), nodes.metrics_of(0).await?);
    nodes.launch(1)?;
    let watch = Watch::start(nodes.ids());
    let joined = interrupt.after(BOUND);
    let serving = async {
        let served = nodes.until_serving(1).await.map(|()| began.elapsed());
        joined.end_now();
        served
    };
    let (serving, meanwhile) = tokio::join!(serving, client_pool.drive(Some(RATE), &joined));
    let (serving, usage) = (serving?, watch.stop());
    let (joiner, bytes) = (nodes.metrics_of(1).await?, nodes.metrics().await?.since(&counted));
    let after = client_pool.drive(Some(RATE), &interrupt.after(calm)).await;
    let span = Span { from, zero: began, to: Instant::now() };
    let mut moments = Timeline::default();
    [&before, &meanwhile, &after]
        .iter()
        .for_each(|load| load.moments.iter().for_each(|more| moments.add(more)));
    let report = JoinReport {
        sessions: joiner.value("sessile_transfer_sessions") as u64,
        transfer_seconds: joiner.value("sessile_transfer_seconds"),
        serving_seconds: serving.as_secs_f64(),
        wire_bytes: Traffic::of(&bytes).wire_bytes,
        before: before.latency.percentiles(),
        meanwhile: meanwhile.latency.percentiles(),
        after: after.latency.percentiles(),
        series: moments.binned(&span, span.usual_width()),
        circumstances: Circumstances { foreign_cpu: usage.foreign, interrupted: interrupt.is_requested() },
    };
    Ok((report, usage))
}

impl BenchFindings for JoinReport {
    fn table(&self) -> Table {
        let rate = self.rate();
        let mut table = Table::new(["join", &format!("{} sessions", self.sessions)]);
        let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
        row("state transfer", microseconds(self.transfer_seconds * 1e6));
        row("process started until it serves", microseconds(self.serving_seconds * 1e6));
        row("bytes on the links, encrypted", format!("{:.0}", self.wire_bytes));
        row("MB a second of transfer", format!("{rate:.0}"));
        for (when, of) in self.times() {
            row(&format!("p50 of clients {when}"), microseconds(of.p50_us));
            row(&format!("p99 of clients {when} ({} writes)", of.count), microseconds(of.p99_us));
        }
        table.remark(format!("clients: {RATE} writes a second, intended starts"));
        table.remark(self.circumstances.words());
        table
    }

    fn rows(&self) -> Vec<Row> {
        let mut join = Row::new("join");
        join.figure("sessions", "", self.sessions as f64);
        join.figure("state transfer", "ms", self.transfer_seconds * 1e3);
        join.figure("started until serving", "ms", self.serving_seconds * 1e3);
        join.figure("on the links", "MB", self.wire_bytes / 1e6);
        join.figure("rate of transfer", "MB/s", self.rate());
        let clients = self.times().map(|(when, of)| {
            let mut row = Row::new(format!("clients {when}"));
            row.figure("writes", "", of.count as f64);
            row.latency("latency", &of);
            row
        });
        std::iter::once(join).chain(clients).collect()
    }

    fn circumstances(&self) -> Circumstances {
        self.circumstances
    }

    fn plots(&self) -> Vec<String> {
        let width = self.series.windows(2).next().map_or(0.0, |bins| bins[1].from_ms - bins[0].from_ms);
        let line = |of: fn(&Bin) -> Option<f64>| {
            self.series.iter().map(|bin| (bin.from_ms + width / 2.0, of(bin))).collect()
        };
        let serving_ms = self.serving_seconds * 1e3;
        let drawing = Lines {
            caption: &format!(
                "latency of clients while a node joins, by {width:.0} ms in which writes were intended"
            ),
            across: Across::Number("ms from the start of the joiner's process on"),
            unit: "ms",
            logarithmic: true,
            lines: vec![("longest", line(|bin| bin.max_ms)), ("p50", line(|bin| bin.p50_ms))],
            marks: vec![
                ("the joiner's process starts".to_owned(), 0.0),
                (format!("it serves after {serving_ms:.0} ms"), serving_ms),
            ],
        };
        vec![drawing.draw()]
    }
}

impl JoinReport {
    /// MB of transfer a second.
    fn rate(&self) -> f64 {
        self.wire_bytes / self.transfer_seconds.max(f64::MIN_POSITIVE) / 1e6
    }

    fn times(&self) -> [(&'static str, Percentiles); 3] {
        [("before", self.before), ("meanwhile", self.meanwhile), ("after", self.after)]
    }
}
