//! `sessile bench compare A B`: two reports side by side.

use std::path::PathBuf;

use clap::Args;

use super::report::{Report, Row};
use crate::failure::Failure;
use crate::output;

/// Narrowest column of names.
const NAMES: usize = 24;
/// A machine with more load than this on each core before the measurement counts as busy.
const BUSY: f64 = 0.5;

/// Which reports.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The folder of a report
    a: PathBuf,
    /// The folder of another one
    b: PathBuf,
}

impl Compare {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (a, b) = (Report::read(&self.a)?, Report::read(&self.b)?);
        let mut text = String::new();
        for (name, report) in [("A", &a), ("B", &b)] {
            text += &format!("{name}: {}\n   {}\n", report.command, report.machine);
        }
        text += &different(&a, &b).iter().map(|words| format!("   {words}\n")).collect::<String>();
        for (row, other) in in_both(&a.rows, &b.rows) {
            text += &side_by_side(row, other);
        }
        for (name, here, there) in [("A", &a.rows, &b.rows), ("B", &b.rows, &a.rows)] {
            let alone: Vec<_> =
                here.iter().filter(|row| !there.iter().any(|other| other.name == row.name)).collect();
            if !alone.is_empty() {
                let names: Vec<_> = alone.iter().map(|row| row.name.as_str()).collect();
                text += &format!("\nonly in {name}: {}\n", names.join(", "));
            }
        }
        output::print(&text)
    }
}

/// Reasons why the two reports are not directly comparable.
fn different(a: &Report, b: &Report) -> Vec<String> {
    let mut words = Vec::new();
    if a.title != b.title {
        words.push(format!("these are different measurements: {} and {}", a.title, b.title));
    }
    let place = |report: &Report| (report.machine.processor.clone(), report.machine.cores);
    if place(a) != place(b) {
        words.push("they were measured on different machines".to_owned());
    }
    if [a, b].iter().any(|report| report.machine.build != "release") {
        words.push("a debug build was measured: its times mean nothing".to_owned());
    }
    words.extend([("A", a), ("B", b)].iter().filter_map(|(name, report)| busy(name, report)));
    words
}

/// A warning if other programs used much of the machine; without a measured share, the load before the run
/// decides.
fn busy(name: &str, report: &Report) -> Option<String> {
    let Report { machine, circumstances, .. } = report;
    if let Some(share) = circumstances.foreign_cpu.filter(|_| circumstances.doubtful()) {
        let percent = share * 100.0;
        return Some(format!("{name} is DOUBTFUL: other programs took up to {percent:.0} % of the machine"));
    }
    let load = machine.load.parse::<f64>().ok().filter(|_| circumstances.foreign_cpu.is_none())?;
    let busy = machine.cores > 0 && load / machine.cores as f64 > BUSY;
    busy.then(|| format!("{name} may be doubtful: the machine was busy before it, with a load of {load}"))
}

fn in_both<'r>(a: &'r [Row], b: &'r [Row]) -> Vec<(&'r Row, &'r Row)> {
    let partner = |row: &'r Row| Some((row, b.iter().find(|other| other.name == row.name)?));
    a.iter().filter_map(partner).collect()
}

fn side_by_side(a: &Row, b: &Row) -> String {
    let names = a.figures.iter().map(|figure| figure.name.chars().count() + figure.unit.chars().count() + 1);
    let width = names.chain([a.name.chars().count(), NAMES]).max().unwrap_or(NAMES);
    let mut text = format!("\n{:width$} {:>10} {:>10} {:>7}\n", a.name, "A", "B", "B/A");
    for figure in &a.figures {
        let Some(other) = b.value(&figure.name) else { continue };
        let ratio = if figure.value == 0.0 { "-".to_owned() } else { format!("{:.2}", other / figure.value) };
        let name = format!("{} {}", figure.name, figure.unit);
        text += &format!(
            "{name:width$} {:>10} {:>10} {ratio:>7}\n",
            figure.words(figure.value),
            figure.words(other)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compare_warns_about_a_busy_machine() {
        let report = |foreign_cpu, load: &str| {
            let mut report = Report::new("load");
            report.circumstances.foreign_cpu = foreign_cpu;
            report.machine.load = load.to_owned();
            report.machine.cores = 2;
            report
        };
        let warning = busy("A", &report(Some(0.31), "0.1")).unwrap();
        assert!(warning.contains("A is DOUBTFUL") && warning.contains("31 %"), "{warning}");
        assert_eq!(busy("A", &report(Some(0.01), "9.5")), None, "it was watched, and calm");
        assert!(busy("B", &report(None, "9.5")).unwrap().contains("B may be doubtful"));
        assert_eq!(busy("B", &report(None, "0.5")), None);
        assert_eq!(busy("B", &report(None, "unknown")), None);
    }

    #[test]
    fn compare_pairs_figures_by_name() {
        let row = |value| {
            let mut row = Row::new("DPS2");
            row.figure("response p50", "ms", value);
            row.figure("wrong answers", "", 0.0);
            row
        };
        let text = side_by_side(&row(2.0), &row(3.0));
        let line = text.lines().find(|line| line.starts_with("response p50 ms")).unwrap();
        assert_eq!(
            line.split_whitespace().collect::<Vec<_>>(),
            ["response", "p50", "ms", "2.000", "3.000", "1.50"]
        );
        assert_eq!(text.lines().last().unwrap().split_whitespace().last(), Some("-"), "{text}");
    }
}
