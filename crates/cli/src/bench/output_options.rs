//! Output of a measurement's findings: a table, JSON, and a report folder.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::report::{Report, Row};
use super::run_settings::Circumstances;
use super::table::Table;
use crate::failure::Failure;
use crate::output;

/// First note in the report of a --quick run.
const QUICKLY: &str = "measured with --quick: the figures mean nothing";

/// Options of every measurement.
#[derive(Debug, Clone, Args)]
pub(super) struct OutputOptions {
    /// Write the findings as JSON
    #[arg(long)]
    json: bool,
    /// Run briefly to test the function: the figures mean nothing, and a busy machine does not matter
    #[arg(long)]
    pub(super) quick: bool,
    /// Folder of the report (page, plots, JSON); by default a new folder in the working directory, or no
    /// report with --json or --quick
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
}

/// The findings of a measurement.
pub(super) trait BenchFindings: Serialize {
    fn table(&self) -> Table;

    /// The findings as named figures; names contain the units.
    fn rows(&self) -> Vec<Row>;

    fn circumstances(&self) -> Circumstances;

    /// Plots for the page.
    fn plots(&self) -> Vec<String> {
        Vec::new()
    }

    /// Notes for readers of the page, a paragraph each.
    fn notes(&self) -> Vec<String> {
        self.table().remarks().map(str::to_owned).collect()
    }
}

/// Destination of the findings, chosen before the measurement.
#[derive(Debug)]
pub(super) struct ReportSink {
    json: bool,
    quick: bool,
    report: Option<(PathBuf, Report)>,
}

impl OutputOptions {
    /// Reads the machine's data; fails if the folder already holds a report.
    pub(super) fn begin(&self, title: &str) -> Result<ReportSink, Failure> {
        let report = Report::new(title);
        let usual = (!self.json && !self.quick).then(|| report.usual_folder());
        let folder = self.report.clone().or(usual);
        folder.iter().try_for_each(|folder| Report::has_room(folder))?;
        Ok(ReportSink { json: self.json, quick: self.quick, report: folder.map(|folder| (folder, report)) })
    }
}

impl ReportSink {
    /// Writes the findings to standard output and, if requested, to a report folder.
    pub(super) fn show(self, findings: &impl BenchFindings) -> Result<(), Failure> {
        let failed =
            |error: serde_json::Error| Failure::Failed(format!("the findings cannot be written: {error}"));
        let json = serde_json::to_string_pretty(findings).map_err(failed)?;
        match self.json {
            true => output::print_verbatim(&json)?,
            false => output::print(&findings.table().to_string())?,
        }
        let Some((folder, mut report)) = self.report else { return Ok(()) };
        report.notes.extend(self.quick.then(|| QUICKLY.to_owned()));
        report.notes.extend(findings.notes());
        report.rows = findings.rows();
        report.plots = findings.plots();
        report.circumstances = findings.circumstances();
        report.findings = Some(json);
        report.write(&folder)?;
        output::tell(&format!("report: {}", folder.join("index.html").display()));
        Ok(())
    }
}
