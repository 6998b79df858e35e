//! `sessile bench article`: the article's seven scenarios, and ours, on two real nodes with the balancer in
//! front.
//!
//! `scenario` lists the scenarios with the article's figures; `scenario_run` starts the nodes and measures
//! one scenario; `outcome` computes its figures; `table` and `finding` compare them with the article's.

mod finding;
mod outcome;
mod scenario;
mod scenario_run;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use self::scenario::Scenario;
use super::client;
use super::measuring_clients::{ClientMeasurements, Pace};
use super::report::{Report, Row, in_words, plot};
use crate::failure::Failure;
use crate::output;
use crate::stop::StopRequest;

/// Repetitions of the article, of each client.
const REPETITIONS: u64 = 1_000;
const QUICK_REPETITIONS: u64 = 50;
const QUICK_DELAY_MS: u64 = 2;
/// Time for which the idle nodes are measured before each scenario.
const REST: Duration = Duration::from_secs(2);
const QUICK_REST: Duration = Duration::from_millis(500);

/// How the article's measurement is repeated.
#[derive(Debug, Args)]
pub(crate) struct Article {
    /// Few repetitions with a short delay: minutes instead of hours
    #[arg(long)]
    quick: bool,
    /// Only these scenarios, for example DPS2,DAS2
    #[arg(long, value_delimiter = ',', value_name = "CODE", value_parser = known)]
    scenario: Vec<Scenario>,
    /// Changes that each client makes; 1000 as in the article, or 50 when quick
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    repetitions: Option<u64>,
    /// Clients at once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=100))]
    threads: u64,
    /// Use one pause after every response, instead of the article's 1000 and 2000 ms
    #[arg(long, value_name = "MS")]
    fixed_delay: Option<u64>,
    /// Folder of the report; by default a new folder in the working directory
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
}

fn known(code: &str) -> Result<Scenario, String> {
    let found = scenario::ALL.iter().find(|scenario| scenario.code.eq_ignore_ascii_case(code));
    let codes = || scenario::ALL.map(|scenario| scenario.code).join(", ");
    found.copied().ok_or_else(|| format!("there is no such scenario; there are {}", codes()))
}

impl Article {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let stop = StopRequest::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
        self.report.iter().try_for_each(|folder| Report::has_room(folder))?;
        let mut report = Report::new("article");
        output::print(&self.announcement())?;
        output::print(&report.machine.to_string())?;
        let mut measured = Vec::new();
        let mut faults = ClientMeasurements::default();
        for scenario in self.scenarios() {
            let length = self.length(scenario);
            let done = tokio::select! {
                done = scenario_run::measure(scenario, &length, &stop) => done?,
                () = stop.forced() => return Err(Failure::Failed("stopped at once".to_owned())),
            };
            faults.faults.extend(done.faults);
            faults.unanswered += done.unanswered;
            faults.words.extend(done.words);
            report.circumstances.note(&done.usage);
            measured.push((*scenario, done.row));
            if done.interrupted {
                output::tell("stopped: the figures measured so far follow");
                report.circumstances.interrupted = true;
                break;
            }
        }
        let rows: Vec<Row> = measured.iter().map(|(_, row)| row.clone()).collect();
        let findings = finding::all(&rows);
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        let circumstances = report.circumstances.words();
        output::print(&format!(
            "\naverages: the article's, then ours\n{}\nours: median and 99th percentile, in ms\n{}\nthe article's findings; \
             {circumstances}\n{}",
            table::averages(&measured),
            table::percentiles(&measured),
            findings.join("\n")
        ))?;
        report.notes.push(circumstances);
        report.notes.extend(findings);
        report.notes.extend(NOTES.map(str::to_owned));
        report.plots = plots(&rows);
        report.rows = rows;
        let folder = self.report.clone().unwrap_or_else(|| report.usual_folder());
        report.write(&folder)?;
        output::print(&format!("\nreport: {}", folder.join("index.html").display()))?;
        client::judge(&faults)
    }

    fn scenarios(&self) -> &[Scenario] {
        if self.scenario.is_empty() { &scenario::ALL } else { &self.scenario }
    }

    fn length(&self, scenario: &Scenario) -> scenario_run::RunLength {
        let quick_delay = self.quick.then_some(QUICK_DELAY_MS);
        let delay = self.fixed_delay.or(quick_delay).map_or(scenario.delay, Duration::from_millis);
        let usual = if self.quick { QUICK_REPETITIONS } else { REPETITIONS };
        scenario_run::RunLength {
            threads: self.threads,
            repetitions: self.repetitions.unwrap_or(usual),
            pace: Pace::Pause(delay),
            rest: if self.quick { QUICK_REST } else { REST },
        }
    }

    fn announcement(&self) -> String {
        let pauses = self.scenarios().iter().map(|scenario| {
            let length = self.length(scenario);
            let Pace::Pause(pause) = length.pace else { return Duration::ZERO };
            pause.saturating_mul(u32::try_from(length.repetitions).unwrap_or(u32::MAX))
        });
        let count = self.scenarios().len();
        format!(
            "{count} scenarios, {} of pauses alone; Ctrl-C shows what was measured",
            in_words(pauses.sum())
        )
    }
}

/// Explanation of the columns.
const NOTES: [&str; 6] = [
    "response: at the client, through the balancer, first byte sent to last byte read. The balancer runs in the client's process, the nodes in processes of their own.",
    "request: in the node, from the head of the request to the head of the response, of requests that changed a session. Percentiles are upper ends of steps that are about a quarter wide.",
    "overhead: the part of request after the handler had returned: the commit, and waiting where the mode waits.",
    "replication: from the commit until the acknowledgement of the other node had come back, in every mode; the other node applied the change before that, so it is an upper bound.",
    "visible: from the last byte of the response until the first answer of the other node's own copy that shows the change, one round trip of HTTP included.",
    "bytes: all that was handed to the replication sockets of both nodes, encrypted (TLS 1.3), acknowledgements included, less what the same sockets carried at rest in the same time. bytes/ms is bytes/request by the time of replication, as in the article.",
];

fn plots(rows: &[Row]) -> Vec<String> {
    let lines: Vec<_> = rows
        .iter()
        .filter_map(|row| Some((row.name.as_str(), row.samples.get("response")?.curve())))
        .collect();
    let bars = |figure: &str| {
        rows.iter().filter_map(|row| Some((row.name.as_str(), row.value(figure)?))).collect::<Vec<_>>()
    };
    vec![
        plot::percentiles("response through the balancer", &lines),
        plot::bars("request in the node, mean", "ms", &bars("request mean")),
        plot::bars("replication, mean", "ms", &bars("replication mean")),
        plot::bars("bytes per request", "bytes", &bars("bytes/request")),
    ]
}
