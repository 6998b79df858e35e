//! The article's table beside this run's figures, as text.

use super::scenario::{Printed, Scenario};
use crate::bench::report::{Row, number};

/// A column: its head, the article's figure, and the name of this run's figure.
type Column = (&'static str, fn(&Printed) -> Option<f64>, &'static str);

const COLUMNS: [Column; 6] = [
    ("response ms", |printed| Some(printed.response), "response mean"),
    ("request ms", |printed| Some(printed.request), "request mean"),
    ("overhead ms", |printed| Some(printed.overhead), "overhead mean"),
    ("replication ms", |printed| Some(printed.replication), "replication mean"),
    ("bytes/ms", |printed| printed.bytes_per_ms, "bytes/ms"),
    ("bytes/request", |printed| Some(printed.bytes_per_request), "bytes/request"),
];

const TIMES: [&str; 5] = ["response", "request", "overhead", "replication", "visible"];

/// Averages: each column shows the article's figure, then this run's.
pub(crate) fn averages(measured: &[(Scenario, Row)]) -> String {
    let mut text = head();
    text += &COLUMNS.map(|(name, ..)| format!(" {name:>17}")).concat();
    text.push('\n');
    for (scenario, row) in measured {
        text += &begin(scenario);
        for (_, printed, ours) in COLUMNS {
            let printed = scenario.printed.as_ref().and_then(printed).map_or_else(|| "-".to_owned(), brief);
            let ours = row.value(ours).map_or_else(|| "-".to_owned(), number);
            text += &format!(" {printed:>7} {ours:>9}");
        }
        text.push('\n');
    }
    text
}

/// The median and the 99th percentile of each time.
pub(crate) fn percentiles(measured: &[(Scenario, Row)]) -> String {
    let mut text = head();
    text += &TIMES.map(|name| format!(" {name:>17}")).concat();
    text.push('\n');
    for (scenario, row) in measured {
        text += &begin(scenario);
        for name in TIMES {
            let value =
                |which: &str| row.value(&format!("{name} {which}")).map_or_else(|| "-".to_owned(), number);
            text += &format!(" {:>8} {:>8}", value("p50"), value("p99"));
        }
        text.push('\n');
    }
    text
}

fn head() -> String {
    format!("{:16} {:8} {:10} {:8}", "scenario", "manager", "mode", "session")
}

fn begin(scenario: &Scenario) -> String {
    let Scenario { code, manager, mode, .. } = scenario;
    format!("{code:16} {manager:8} {mode:10} {:8}", scenario.session())
}

/// As the article prints it.
fn brief(value: f64) -> String {
    format!("{value}")
}
