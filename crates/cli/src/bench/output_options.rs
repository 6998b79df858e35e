//! How the findings of a measurement of load are told: as a table, as JSON, and as the folder of a report.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::report::{Report, Row};
use super::run_settings::Circumstances;
use super::table::Table;
use crate::failure::Failure;
use crate::output;

/// What the report of a quick run says first.
const QUICKLY: &str = "measured with --quick: for its function, not for its figures";

/// Options of every measurement.
#[derive(Debug, Clone, Args)]
pub(super) struct OutputOptions {
    /// Write the findings as JSON
    #[arg(long)]
    json: bool,
    /// Measure briefly: for its function, not for its figures, so that a busy machine does not matter
    #[arg(long)]
    pub(super) quick: bool,
    /// Where the report goes, a folder with a page, plots and JSON; a new folder here when left out, and none at all
    /// with --json or --quick
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
}

/// What a measurement found, ready to be told.
pub(super) trait BenchFindings: Serialize {
    fn table(&self) -> Table;

    /// The same as named figures; units belong to their names.
    fn rows(&self) -> Vec<Row>;

    fn circumstances(&self) -> Circumstances;

    /// Drawings for the page.
    fn plots(&self) -> Vec<String> {
        Vec::new()
    }

    /// What a reader of the page must know, a paragraph each.
    fn notes(&self) -> Vec<String> {
        self.table().remarks().map(str::to_owned).collect()
    }
}

/// Where findings go, decided before anything is measured.
#[derive(Debug)]
pub(super) struct ReportSink {
    json: bool,
    quick: bool,
    report: Option<(PathBuf, Report)>,
}

impl OutputOptions {
    /// Looks at the machine, and refuses a folder that holds a report already.
    pub(super) fn begin(&self, title: &str) -> Result<ReportSink, Failure> {
        let report = Report::new(title);
        let usual = (!self.json && !self.quick).then(|| report.usual_folder());
        let folder = self.report.clone().or(usual);
        folder.iter().try_for_each(|folder| Report::has_room(folder))?;
        Ok(ReportSink { json: self.json, quick: self.quick, report: folder.map(|folder| (folder, report)) })
    }
}

impl ReportSink {
    /// Writes the findings to standard output and, where one is wanted, a report.
    pub(super) fn show(self, findings: &impl BenchFindings) -> Result<(), Failure> {
        let failed =
            |error: serde_json::Error| Failure::Failed(format!("the findings cannot be written: {error}"));
        let json = serde_json::to_string_pretty(findings).map_err(failed)?;
        match self.json {
            true => output::print(&json)?,
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
