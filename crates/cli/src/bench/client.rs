//! `sessile bench client`: the article's measuring client, for any server that keeps clusterapp's contract.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::measuring_clients::{ClientMeasurements, ClientPlan, MeasuringClients, Pace};
use super::progress;
use super::report::{Report, Row};
use super::samples::{Samples, Summary};
use super::workload::Workload;
use crate::failure::Failure;
use crate::output;
use crate::stop::StopRequest;

/// Most findings shown.
const SHOWN: usize = 10;

/// The article's arguments, in its order, for example `2 9080 1000 1000 lite`.
#[derive(Debug, Args)]
pub(crate) struct Client {
    /// Clients at once, each with a cookie and a connection of its own
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    threads: u64,
    /// The port of the server, or of the balancer in front of it
    port: u16,
    /// Changes that each client makes
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    repetitions: u64,
    /// Pause after each response, in milliseconds
    delay_ms: u64,
    /// What a session holds
    #[arg(value_enum)]
    workload: Workload,
    /// The address of the server
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Begin a request each DELAY_MS, instead of pausing after each response
    #[arg(long)]
    fixed_delay: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    /// Write a report to this folder
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
}

impl Client {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let stop = StopRequest::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
        let delay = Duration::from_millis(self.delay_ms);
        let pace = if self.fixed_delay { Pace::Interval(delay) } else { Pace::Pause(delay) };
        let Self { workload, repetitions, .. } = self;
        let plan = ClientPlan { workload, repetitions, pace, nodes: Vec::new() };
        let at = SocketAddr::new(self.host, self.port);
        self.report.iter().try_for_each(|folder| Report::has_room(folder))?;
        let mut report = Report::new("client");
        let mut measuring_clients = MeasuringClients::set_up(at, self.threads, plan, stop).await?;
        let bar = progress::bar("client", self.threads * repetitions);
        measuring_clients.repeat(&bar).await;
        bar.finish_and_clear();
        measuring_clients.end().await;
        let measured = measuring_clients.measured;
        match self.json {
            true => output::print_verbatim(&as_json(&measured))?,
            false => output::print(&as_text(&measured))?,
        }
        if let Some(folder) = &self.report {
            report.rows.push(as_row(&measured));
            report.write(folder)?;
        }
        judge(&measured)
    }
}

/// Fails (exit code 1) with the wrong and missing answers, if there were any.
pub(crate) fn judge(measured: &ClientMeasurements) -> Result<(), Failure> {
    if measured.is_good() {
        return Ok(());
    }
    let faults = measured.faults.iter().take(SHOWN).map(ToString::to_string);
    let words = measured.words.iter().map(|words| format!("no good answer: {words}"));
    let shown: Vec<_> = faults.chain(words).take(SHOWN).collect();
    Err(Failure::Failed(format!(
        "the server answered wrongly {} times and not at all {} times:\n{}",
        measured.faults.len(),
        measured.unanswered,
        shown.join("\n")
    )))
}

fn kinds(measured: &ClientMeasurements) -> [(&'static str, &Samples); 3] {
    let ClientMeasurements { response, remove, invalidate, .. } = measured;
    [("response", response), ("remove", remove), ("invalidate", invalidate)]
}

fn as_text(measured: &ClientMeasurements) -> String {
    let mut text = format!(
        "{:12} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n",
        "ms", "count", "mean", "p50", "p90", "p99", "min", "max"
    );
    for (name, samples) in kinds(measured) {
        let Summary { count, mean, p50, p90, p99, min, max } = samples.summary();
        text += &format!(
            "{name:12} {count:>8} {mean:>9.3} {p50:>9.3} {p90:>9.3} {p99:>9.3} {min:>9.3} {max:>9.3}\n"
        );
    }
    text + &format!("{} wrong answers, {} without a good answer", measured.faults.len(), measured.unanswered)
}

fn as_json(measured: &ClientMeasurements) -> String {
    let figures = kinds(measured).map(|(name, samples)| (name, samples.summary()));
    let mut object = json!({
        "faults": measured.faults,
        "unanswered": measured.unanswered,
        "seconds": measured.lasted.as_secs_f64(),
    });
    for (name, summary) in figures {
        object[name] = json!(summary);
    }
    object.to_string()
}

fn as_row(measured: &ClientMeasurements) -> Row {
    let mut row = Row::new("client");
    for (name, samples) in kinds(measured) {
        row.times(name, samples.clone());
    }
    row.figure("wrong answers", "", measured.faults.len() as f64);
    row.figure("unanswered", "", measured.unanswered as f64);
    row
}
