//! What a run found, kept as a folder: `report.json` (figures and machine), `index.html` (tables and plots,
//! in one file that needs nothing else) and, raw, `samples.json` (every time that was measured, where they
//! were kept) or `findings.json` (what the run prints with `--json`).
//!
//! Every report consists of rows of named figures, so any two reports can be compared.

mod machine;
mod page;
pub(crate) mod plot;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use self::machine::Machine;
pub(crate) use self::page::number;
use super::latency::Percentiles;
use super::run_settings::Circumstances;
use super::samples::{Samples, Summary};
use crate::failure::Failure;

const FIGURES: &str = "report.json";
const SAMPLES: &str = "samples.json";
const FINDINGS: &str = "findings.json";
const PAGE: &str = "index.html";

/// A report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Name of the measurement, for example `article`.
    pub(crate) title: String,
    /// The command line of the run.
    pub(crate) command: String,
    /// Seconds since 1970.
    pub(crate) when: u64,
    pub(crate) machine: Machine,
    /// Conditions of the run, if measured.
    #[serde(default)]
    pub(crate) circumstances: Circumstances,
    pub(crate) rows: Vec<Row>,
    /// Notes for the reader, a paragraph each.
    pub(crate) notes: Vec<String>,
    /// Drawings, in the page only.
    #[serde(skip)]
    pub(crate) plots: Vec<String>,
    /// All findings as JSON; in a file of its own.
    #[serde(skip)]
    pub(crate) findings: Option<String>,
}

/// One measured subject, for example a scenario.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// In the order in which they are shown.
    pub(crate) figures: Vec<Figure>,
    /// Samples behind the figures, by name.
    #[serde(skip)]
    pub(crate) samples: BTreeMap<String, Samples>,
}

/// A number with its name and its unit, for example `response p99` in `ms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) value: f64,
}

impl Report {
    /// An empty report about this machine and this moment.
    pub(crate) fn new(title: &str) -> Self {
        let when =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let program = std::iter::once("sessile".to_owned());
        let command = program.chain(std::env::args().skip(1)).collect::<Vec<_>>().join(" ");
        Self {
            title: title.to_owned(),
            command,
            when,
            machine: Machine::look(),
            circumstances: Circumstances::default(),
            rows: Vec::new(),
            notes: Vec::new(),
            plots: Vec::new(),
            findings: None,
        }
    }

    /// The default folder.
    pub(crate) fn usual_folder(&self) -> PathBuf {
        PathBuf::from(format!("sessile-bench-{}-{}", self.title, self.when))
    }

    /// Fails if the folder already holds a report: reports are never overwritten.
    pub(crate) fn has_room(folder: &Path) -> Result<(), Failure> {
        match folder.join(FIGURES).exists() {
            true => Err(not_written(folder, "the folder already holds a report; name another folder")),
            false => Ok(()),
        }
    }

    /// Writes the folder, which must not hold a report yet.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        Self::has_room(folder)?;
        let sampled = self.rows.iter().filter(|row| !row.samples.is_empty());
        let samples: BTreeMap<_, _> = sampled.map(|row| (&row.name, &row.samples)).collect();
        let figures = serde_json::to_string_pretty(self).map_err(|error| not_written(folder, error))?;
        let mut files = vec![(PAGE, page::of(self)), (FIGURES, figures)];
        if !samples.is_empty() {
            let samples = serde_json::to_string(&samples).map_err(|error| not_written(folder, error))?;
            files.push((SAMPLES, samples));
        }
        files.extend(self.findings.clone().map(|findings| (FINDINGS, findings)));
        std::fs::create_dir_all(folder).map_err(|error| not_written(folder, error))?;
        for (name, text) in files {
            std::fs::write(folder.join(name), text).map_err(|error| not_written(folder, error))?;
        }
        Ok(())
    }

    /// Reads a report with its samples. Plots exist in the page only.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let mut report: Self = read_json(&folder.join(FIGURES))?;
        if !folder.join(SAMPLES).exists() {
            return Ok(report);
        }
        let mut samples: BTreeMap<String, BTreeMap<String, Samples>> = read_json(&folder.join(SAMPLES))?;
        for row in &mut report.rows {
            row.samples = samples.remove(&row.name).unwrap_or_default();
        }
        Ok(report)
    }
}

fn not_written(folder: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("{}: the report cannot be written: {error}", folder.display()))
}

fn read_json<T: DeserializeOwned>(file: &Path) -> Result<T, Failure> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| {
        Failure::Failed(format!("{}: {error}; name the folder of a report", file.display()))
    })?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::Failed(format!("{}: not a report of this version: {error}", file.display()))
    })
}

impl Row {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds a figure. A value that is not finite is unknown and left out.
    pub(crate) fn figure(&mut self, name: &str, unit: &str, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into().filter(|value| value.is_finite()) {
            self.figures.push(Figure { name: name.to_owned(), unit: unit.to_owned(), value });
        }
    }

    /// Adds percentiles as figures.
    pub(crate) fn latency(&mut self, name: &str, of: &Percentiles) {
        let Percentiles { p50_us, p90_us, p99_us, p999_us, max_us, .. } = of;
        for (which, us) in
            [("p50", p50_us), ("p90", p90_us), ("p99", p99_us), ("p99.9", p999_us), ("longest", max_us)]
        {
            self.figure(&format!("{name} {which}"), "ms", (of.count > 0).then_some(us / 1e3));
        }
    }

    /// Keeps the samples, and adds their mean, median and 99th percentile as figures.
    pub(crate) fn times(&mut self, name: &str, samples: Samples) {
        let Summary { mean, p50, p99, .. } = samples.summary();
        for (which, value) in [("mean", mean), ("p50", p50), ("p99", p99)] {
            self.figure(&format!("{name} {which}"), "ms", value);
        }
        self.samples.insert(name.to_owned(), samples);
    }

    /// A figure by its name.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }
}

/// A time for people: `1 h 5 min`, `12 s`.
pub(crate) fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_was_written_and_never_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let mut report = Report::new("article");
        let mut row = Row::new("DPS2");
        let mut samples = Samples::default();
        (1..=100).for_each(|millis| samples.push(Duration::from_millis(millis)));
        row.times("response", samples.clone());
        row.figure("bytes/request", "B", 411.0);
        row.figure("ratio to nothing", "", 1.0 / 0.0);
        report.rows.push(row);
        report.notes.push("<measured> & honest".to_owned());
        report.plots.push("<svg></svg>".to_owned());
        report.findings = Some("{}".to_owned());
        report.circumstances.foreign_cpu = Some(0.5);
        let folder = place.path().join("run");
        report.write(&folder).unwrap();

        let read = Report::read(&folder).unwrap();
        assert_eq!(read.rows[0].value("response p99"), Some(99.0));
        assert_eq!(read.rows[0].value("bytes/request"), Some(411.0));
        assert_eq!(read.rows[0].value("ratio to nothing"), None, "JSON has no such number");
        assert_eq!(read.circumstances, report.circumstances);
        assert_eq!(std::fs::read_to_string(folder.join(FINDINGS)).unwrap(), "{}");
        assert_eq!(read.rows[0].samples["response"], samples);
        let page = std::fs::read_to_string(folder.join(PAGE)).unwrap();
        assert!(page.contains("&lt;measured&gt; &amp; honest") && page.contains("<svg></svg>"), "{page}");
        assert!(!page.contains("http://") && !page.contains("https://"), "it can be read offline");

        let Err(Failure::Failed(message)) = report.write(&folder) else { panic!("it would be lost") };
        assert!(message.contains("another folder"), "{message}");
        let Err(Failure::Failed(message)) = Report::read(place.path()) else { panic!("none is here") };
        assert!(message.contains("name the folder of a report"), "{message}");
    }

    #[test]
    fn a_report_without_samples_is_read_too() {
        let place = tempfile::tempdir().unwrap();
        let mut report = Report::new("load");
        let mut row = Row::new("1 connection");
        let percentiles = Percentiles { count: 3, p99_us: 1_500.0, ..Percentiles::default() };
        row.latency("latency", &percentiles);
        row.latency("never", &Percentiles::default());
        report.rows.push(row);
        report.write(place.path()).unwrap();
        assert!(!place.path().join(SAMPLES).exists());
        let read = Report::read(place.path()).unwrap();
        assert_eq!(read.rows[0].value("latency p99"), Some(1.5));
        assert_eq!(read.rows[0].value("never p99"), None, "nothing was measured");
    }

    #[test]
    fn in_words_formats_durations() {
        let told = [5, 150, 10_000].map(|seconds| in_words(Duration::from_secs(seconds)));
        assert_eq!(told, ["5 s", "3 min", "2 h 46 min"]);
    }
}
