//! `sessile bench ratios`: cost of replication against the lower bounds of the same machine, measured in the
//! same run.
//!
//! Absolute figures of different machines are not comparable; ratios nearly are. Compared values are measured
//! in turns, round after round, and the median counts. `latency` has R1; `throughput` R2, R3 and R4; `weight`
//! R5 and R6.

mod latency;
mod throughput;
mod weight;

use clap::Args;
use serde::Serialize;

use super::grade::{Bars, Grade};
use super::interrupt::Interrupt;
use super::output_options::BenchFindings;
use super::report::Row;
use super::run_settings::{Circumstances, RunSettings};
use super::table::{Table, known};
use crate::failure::Failure;

/// The measurement.
#[derive(Debug, Args)]
pub(crate) struct RatiosBench {
    /// Rounds in which the compared values are measured in turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    #[command(flatten)]
    settings: RunSettings,
}

/// The settings of the run and its findings so far.
struct RatiosRun {
    rounds: u32,
    settings: RunSettings,
    interrupt: Interrupt,
    found: RatiosReport,
}

/// The findings.
#[derive(Debug, Default, Serialize)]
struct RatiosReport {
    ratios: Vec<Ratio>,
    /// The figures behind the ratios.
    measured: Vec<RatiosFigure>,
    #[serde(flatten)]
    circumstances: Circumstances,
}

/// One ratio against its thresholds.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Ratio {
    name: String,
    /// `None` if the system does not report the needed figures.
    value: Option<f64>,
    good: String,
    excellent: String,
    grade: Option<Grade>,
    #[serde(skip)]
    bars: Bars,
}

/// A figure; its name contains the unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct RatiosFigure {
    name: String,
    value: Option<f64>,
}

impl RatiosBench {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let rounds = if self.settings.quick() { 1 } else { self.rounds };
        let (interrupt, sink) = (Interrupt::listen()?, self.settings.output.begin("ratios")?);
        let mut run =
            RatiosRun { rounds, settings: self.settings, interrupt, found: RatiosReport::default() };
        let measured = run.all().await;
        run.found.circumstances.interrupted = run.interrupt.is_requested();
        // Figures measured before a failure are shown too.
        sink.show(&run.found)?;
        measured
    }
}

impl RatiosRun {
    async fn all(&mut self) -> Result<(), Failure> {
        latency::measure(self).await?;
        throughput::measure(self).await?;
        weight::measure(self).await
    }

    fn ratio(&mut self, name: &str, value: Option<f64>, bars: Bars) {
        let [good, excellent] = bars.words();
        // If a busy machine answered nothing, there is no ratio.
        let value = value.filter(|value| value.is_finite());
        let grade = value.map(|value| bars.grade(value));
        self.found.ratios.push(Ratio { name: name.to_owned(), value, good, excellent, grade, bars });
    }

    fn figure(&mut self, name: &str, value: Option<f64>) {
        self.found.measured.push(RatiosFigure { name: name.to_owned(), value });
    }
}

impl BenchFindings for RatiosReport {
    fn table(&self) -> Table {
        let mut table = Table::new(["ratio", "measured", "good", "excellent", "verdict"]);
        for Ratio { name, value, good, excellent, grade, .. } in &self.ratios {
            let verdict = grade.map_or("not measured", Grade::word);
            table.row([name.clone(), known(*value, 2), good.clone(), excellent.clone(), verdict.to_owned()]);
        }
        table.row(["made of".to_owned(), String::new()]);
        for RatiosFigure { name, value } in &self.measured {
            table.row([format!("  {name}"), known(*value, 1)]);
        }
        table.remark(self.circumstances.words());
        table
    }

    /// No plot: the thresholds mix minima and maxima of ratios, microseconds and bytes.
    fn rows(&self) -> Vec<Row> {
        let ratios = self.ratios.iter().map(|Ratio { name, value, bars, .. }| {
            let (mut row, [good, excellent]) = (Row::new(name), bars.values());
            row.figure("measured", "", *value);
            row.figure("good", "", good);
            row.figure("excellent", "", excellent);
            row
        });
        let made_of = self.measured.iter().map(|RatiosFigure { name, value }| {
            let mut row = Row::new(name);
            row.figure("measured", "", *value);
            row
        });
        ratios.chain(made_of).collect()
    }

    fn circumstances(&self) -> Circumstances {
        self.circumstances
    }

    fn notes(&self) -> Vec<String> {
        let verdict = |Ratio { name, good, excellent, grade, .. }: &Ratio| {
            let verdict = grade.map_or("not measured", Grade::word);
            format!("{name}: {verdict}; good is {good}, excellent {excellent}")
        };
        let remarks = self.table().remarks().map(str::to_owned).collect::<Vec<_>>();
        self.ratios.iter().map(verdict).chain(remarks).collect()
    }
}
