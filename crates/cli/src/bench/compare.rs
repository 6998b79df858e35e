//! `sessile bench compare A B`: two reports side by side.

use std::path::PathBuf;

use clap::Args;

use super::report::{Report, Row, number};
use crate::failure::Failure;
use crate::output;

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

/// Why the two must be compared with care.
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
    words
}

fn in_both<'r>(a: &'r [Row], b: &'r [Row]) -> Vec<(&'r Row, &'r Row)> {
    let partner = |row: &'r Row| Some((row, b.iter().find(|other| other.name == row.name)?));
    a.iter().filter_map(partner).collect()
}

fn side_by_side(a: &Row, b: &Row) -> String {
    let mut text = format!("\n{:24} {:>10} {:>10} {:>7}\n", a.name, "A", "B", "B/A");
    for figure in &a.figures {
        let Some(other) = b.value(&figure.name) else { continue };
        let ratio = if figure.value == 0.0 { "-".to_owned() } else { format!("{:.2}", other / figure.value) };
        let name = format!("{} {}", figure.name, figure.unit);
        text += &format!("{name:24} {:>10} {:>10} {ratio:>7}\n", number(figure.value), number(other));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_one_name_stand_side_by_side() {
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
