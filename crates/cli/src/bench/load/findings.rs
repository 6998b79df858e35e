//! Findings of `bench load` as table, rows and plots.

use serde::Serialize;

use super::Cost;
use crate::bench::client_pool::LoadResult;
use crate::bench::latency::{Latency, Percentiles};
use crate::bench::output_options::BenchFindings;
use crate::bench::report::Row;
use crate::bench::report::plot::{self, Across, Lines};
use crate::bench::run_settings::Circumstances;
use crate::bench::table::{Table, known, microseconds};

/// Findings for all numbers of connections.
#[derive(Debug, Serialize)]
pub(super) struct LoadReport {
    pub(super) intended_rate: Option<u32>,
    pub(super) value_bytes: u32,
    pub(super) replication: String,
    pub(super) runs: Vec<LoadRun>,
    #[serde(flatten)]
    pub(super) circumstances: Circumstances,
}

/// Findings for one number of connections.
#[derive(Debug, Serialize)]
pub(super) struct LoadRun {
    pub(super) connections: u16,
    pub(super) requests_per_second: f64,
    pub(super) latency: Percentiles,
    #[serde(skip)]
    pub(super) latencies: Latency,
    pub(super) failed: u64,
    pub(super) never_sent: u64,
    pub(super) first_error: Option<String>,
    pub(super) cost: Option<Cost>,
}

/// A value of a run, if known.
type RunValue = fn(&LoadRun) -> Option<f64>;

impl LoadRun {
    pub(super) fn of(connections: u16, load: LoadResult, cost: Option<Cost>) -> Self {
        let (requests_per_second, latency) = (load.per_second(), load.latency.percentiles());
        let LoadResult { latency: latencies, failed, never_sent, first_error, .. } = load;
        Self { connections, requests_per_second, latency, latencies, failed, never_sent, first_error, cost }
    }

    fn name(&self) -> String {
        format!("{} connection{}", self.connections, if self.connections == 1 { "" } else { "s" })
    }

    /// A latency in milliseconds; `None` if no write was acknowledged.
    fn milliseconds(&self, us: f64) -> Option<f64> {
        (self.latency.count > 0).then_some(us / 1e3)
    }

    /// The lines of the table: a name and a formatted value.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let Percentiles { p50_us, p90_us, p99_us, p999_us, max_us, .. } = self.latency;
        let mut lines = vec![
            ("acknowledged writes a second", format!("{:.0}", self.requests_per_second)),
            ("p50", microseconds(p50_us)),
            ("p90", microseconds(p90_us)),
            ("p99", microseconds(p99_us)),
            ("p99.9", microseconds(p999_us)),
            ("longest", microseconds(max_us)),
            ("failed", self.failed.to_string()),
            ("intended but never sent", self.never_sent.to_string()),
        ];
        if let Some(Cost { cpu_us, frames, wire_bytes, link_writes }) = self.cost {
            lines.extend([
                ("CPU of all nodes for a write, us", known(cpu_us, 1)),
                ("frames between nodes for a write", format!("{frames:.2}")),
                ("bytes between nodes for a write", format!("{wire_bytes:.0}")),
                ("writes to links for a write", format!("{link_writes:.2}")),
            ]);
        }
        lines
    }
}

impl BenchFindings for LoadReport {
    fn table(&self) -> Table {
        let runs = || self.runs.iter();
        let mut table = Table::with_head("connections", runs().map(|run| run.connections.to_string()));
        let columns: Vec<_> = runs().map(LoadRun::lines).collect();
        for (number, (name, _)) in columns.first().into_iter().flatten().enumerate() {
            let cells = columns.iter().filter_map(|lines| lines.get(number)).map(|(_, value)| value.clone());
            table.line(name, cells);
        }
        let kind = self
            .intended_rate
            .map_or_else(|| "closed loop".to_owned(), |rate| format!("open loop, {rate} intended a second"));
        let (bytes, replication) = (self.value_bytes, &self.replication);
        table.remark(format!("{kind}; values of {bytes} B; {replication}"));
        for run in runs() {
            if let Some(first_error) = &run.first_error {
                table.remark(format!("{}: the first failure: {first_error}", run.name()));
            }
        }
        table.remark(self.circumstances.words());
        table
    }

    fn rows(&self) -> Vec<Row> {
        let row = |run: &LoadRun| {
            let mut row = Row::new(run.name());
            row.figure("acknowledged", "writes/s", run.requests_per_second);
            row.latency("latency", &run.latency);
            row.figure("failed", "", run.failed as f64);
            row.figure("never sent", "", run.never_sent as f64);
            if let Some(cost) = &run.cost {
                cost.figures(&mut row);
            }
            row
        };
        self.runs.iter().map(row).collect()
    }

    fn circumstances(&self) -> Circumstances {
        self.circumstances
    }

    fn plots(&self) -> Vec<String> {
        let names: Vec<_> = self.runs.iter().map(LoadRun::name).collect();
        let curves = self.runs.iter().map(|run| run.latencies.curve());
        let curves: Vec<_> = names.iter().map(String::as_str).zip(curves).collect();
        let mut plots = vec![plot::percentiles("latency of acknowledged writes", &curves)];
        if self.runs.len() > 1 {
            plots.push(self.over_connections(
                "throughput",
                "writes/s",
                &[("acknowledged", |run| Some(run.requests_per_second))],
            ));
            plots.push(self.over_connections(
                "latency",
                "ms",
                &[
                    ("p50", |run| run.milliseconds(run.latency.p50_us)),
                    ("p99", |run| run.milliseconds(run.latency.p99_us)),
                ],
            ));
        }
        plots
    }
}

impl LoadReport {
    fn over_connections(&self, what: &str, unit: &str, values: &[(&'static str, RunValue)]) -> String {
        let names: Vec<_> = self.runs.iter().map(|run| run.connections.to_string()).collect();
        let line = |value: &RunValue| (0_u32..).map(f64::from).zip(self.runs.iter().map(value)).collect();
        let drawing = Lines {
            caption: &format!("{what} over connections"),
            across: Across::Steps("connections", &names),
            unit,
            logarithmic: unit == "ms",
            lines: values.iter().map(|(name, value)| (*name, line(value))).collect(),
            marks: Vec::new(),
        };
        drawing.draw()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn run(connections: u16, us: u64) -> LoadRun {
        let mut latencies = Latency::new();
        latencies.record(Duration::from_micros(us));
        LoadRun {
            connections,
            requests_per_second: f64::from(connections) * 10.0,
            latency: latencies.percentiles(),
            latencies,
            failed: 0,
            never_sent: 0,
            first_error: None,
            cost: Some(Cost { cpu_us: None, frames: 2.0, wire_bytes: 1_100.0, link_writes: 0.5 }),
        }
    }

    fn report(runs: Vec<LoadRun>) -> LoadReport {
        let circumstances = Circumstances { foreign_cpu: Some(0.4), interrupted: false };
        let replication = "2 nodes".to_owned();
        LoadReport { intended_rate: None, value_bytes: 1_024, replication, runs, circumstances }
    }

    #[test]
    fn a_sweep_has_a_row_a_column_and_a_plot_point_for_each_number_of_connections() {
        let swept = report(vec![run(1, 100), run(16, 2_000)]);
        let rows = swept.rows();
        let told = |row: usize| (rows[row].name.as_str(), rows[row].value("acknowledged").unwrap());
        assert_eq!((told(0), told(1)), (("1 connection", 10.0), ("16 connections", 160.0)));
        let p50 = |row: usize| rows[row].value("latency p50").unwrap();
        assert!((p50(0) - 0.1).abs() < 0.001 && (p50(1) - 2.0).abs() < 0.01, "{rows:?}");
        assert_eq!(
            (rows[0].value("bytes for a write"), rows[0].value("CPU for a write")),
            (Some(1_100.0), None)
        );
        assert!(swept.table().to_string().contains("frames between nodes for a write"));
        assert!(swept.notes().iter().any(|note| note.contains("DOUBTFUL")), "{:?}", swept.notes());
        assert_eq!(swept.plots().len(), 3);
        assert_eq!(report(vec![run(1, 100)]).plots().len(), 1, "one point is no line");
    }
}
