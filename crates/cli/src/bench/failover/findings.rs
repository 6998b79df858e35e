//! Findings of `bench failover` as table, rows and plots.

use serde::Serialize;

use crate::bench::latency::median;
use crate::bench::output_options::BenchFindings;
use crate::bench::report::Row;
use crate::bench::report::plot::{Across, Lines};
use crate::bench::run_settings::Circumstances;
use crate::bench::table::Table;
use crate::bench::timeline::Bin;

/// All rounds.
#[derive(Debug, Serialize)]
pub(super) struct FailoverReport {
    pub(super) replication: String,
    pub(super) rounds: Vec<FailoverRound>,
    #[serde(flatten)]
    pub(super) circumstances: Circumstances,
}

/// How the node fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum NodeFailure {
    /// SIGKILL: the process ends.
    Killed,
    /// SIGSTOP: the process exists but does not respond.
    Stopped,
}

/// One failure of a node.
#[derive(Debug, Serialize)]
pub(super) struct FailoverRound {
    pub(super) end: NodeFailure,
    /// Writes acknowledged by the failed node.
    pub(super) acknowledged: u64,
    pub(super) lost: u64,
    /// Until the other node removed the first node.
    pub(super) detection_ms: f64,
    /// Until the other node acknowledged a write.
    pub(super) first_good_ms: f64,
    /// `first_good_ms` minus `detection_ms`.
    pub(super) recovery_ms: f64,
    /// Acknowledged writes of all clients, at either node, around the failure.
    pub(super) series: Vec<Bin>,
}

/// A time of a round.
type RoundTime = fn(&FailoverRound) -> f64;

impl NodeFailure {
    pub(super) const ALL: [Self; 2] = [Self::Killed, Self::Stopped];

    fn words(self) -> &'static str {
        match self {
            Self::Killed => "killed (SIGKILL)",
            Self::Stopped => "stopped (SIGSTOP)",
        }
    }
}

impl BenchFindings for FailoverReport {
    fn table(&self) -> Table {
        let mut table = Table::new(["node", "acknowledged", "lost", "detection", "recovery", "first good"]);
        for FailoverRound { end, acknowledged, lost, detection_ms, first_good_ms, recovery_ms, .. } in
            &self.rounds
        {
            let times = [detection_ms, recovery_ms, first_good_ms].map(|ms| format!("{ms:.1} ms"));
            let [detection, recovery, first_good] = times;
            let counts = [acknowledged, lost].map(u64::to_string);
            let [acknowledged, lost] = counts;
            table.row([end.words().to_owned(), acknowledged, lost, detection, recovery, first_good]);
        }
        table.remark(format!("{}; without a balancer's own time to notice", self.replication));
        table.remark(self.circumstances.words());
        table
    }

    /// One row for each kind of failure, over all its rounds.
    fn rows(&self) -> Vec<Row> {
        let row = |end: NodeFailure| {
            let rounds = || self.rounds.iter().filter(move |round| round.end == end);
            let sum = |of: fn(&FailoverRound) -> u64| rounds().map(of).sum::<u64>() as f64;
            let mut row = Row::new(end.words());
            row.figure("rounds", "", rounds().count() as f64);
            row.figure("acknowledged writes", "", sum(|round| round.acknowledged));
            row.figure("lost writes", "", sum(|round| round.lost));
            let times: [(_, RoundTime); 3] = [
                ("detection", |round| round.detection_ms),
                ("recovery", |round| round.recovery_ms),
                ("first good", |round| round.first_good_ms),
            ];
            for (name, of) in times {
                let all: Vec<_> = rounds().map(of).collect();
                row.figure(&format!("{name} median"), "ms", median(&all));
                row.figure(&format!("{name} longest"), "ms", all.iter().copied().reduce(f64::max));
            }
            row
        };
        self.ends().map(row).collect()
    }

    fn circumstances(&self) -> Circumstances {
        self.circumstances
    }

    /// The worst round of each kind of failure.
    fn plots(&self) -> Vec<String> {
        let worst = |end: NodeFailure| {
            let rounds = self.rounds.iter().filter(|round| round.end == end);
            rounds.max_by(|one, other| one.first_good_ms.total_cmp(&other.first_good_ms))
        };
        self.ends().filter_map(worst).map(FailoverRound::plot).collect()
    }
}

impl FailoverReport {
    fn ends(&self) -> impl Iterator<Item = NodeFailure> {
        NodeFailure::ALL.into_iter().filter(|end| self.rounds.iter().any(|round| round.end == *end))
    }
}

impl FailoverRound {
    fn plot(&self) -> String {
        let width = self.series.windows(2).next().map_or(0.0, |bins| bins[1].from_ms - bins[0].from_ms);
        // Each bin is drawn in its middle.
        let middle = |bin: &Bin| (bin.from_ms + width / 2.0, Some(bin.count as f64));
        let Self { end, detection_ms, first_good_ms, .. } = self;
        let words = end.words();
        let drawing = Lines {
            caption: &format!("acknowledged writes, node {words}, the round with the latest good response"),
            across: Across::Number("ms from the end of the node on"),
            unit: &format!("writes in {width:.0} ms"),
            logarithmic: false,
            lines: vec![("acknowledged writes of all clients", self.series.iter().map(middle).collect())],
            marks: vec![
                (words.to_owned(), 0.0),
                (format!("detected after {detection_ms:.1} ms"), *detection_ms),
                (format!("first good response after {first_good_ms:.1} ms"), *first_good_ms),
            ],
        };
        drawing.draw()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(end: NodeFailure, detection_ms: f64, lost: u64) -> FailoverRound {
        let bin = |from_ms, count| Bin { from_ms, count, p50_ms: None, max_ms: None };
        let series = vec![bin(-50.0, 9), bin(0.0, 0), bin(50.0, 7)];
        let first_good_ms = detection_ms + 2.0;
        FailoverRound { end, acknowledged: 100, lost, detection_ms, first_good_ms, recovery_ms: 2.0, series }
    }

    #[test]
    fn rounds_are_summarised_by_kind_of_failure() {
        let rounds = [(10.0, 0), (30.0, 4), (11.0, 0)].map(|(ms, lost)| round(NodeFailure::Killed, ms, lost));
        let circumstances = Circumstances::default();
        let report = FailoverReport { replication: String::new(), rounds: rounds.into(), circumstances };
        let rows = report.rows();
        assert_eq!(rows.len(), 1, "nothing was stopped");
        for (name, value) in [
            ("rounds", 3.0),
            ("acknowledged writes", 300.0),
            ("lost writes", 4.0),
            ("detection median", 11.0),
            ("detection longest", 30.0),
            ("first good longest", 32.0),
        ] {
            assert_eq!(rows[0].value(name), Some(value), "{name}");
        }
        let [plot] = &report.plots()[..] else { panic!("one kind of end") };
        for words in ["detected after 30.0 ms", "first good response after 32.0 ms", "writes in 50 ms"] {
            assert!(plot.contains(words), "{words}: {plot}");
        }
    }
}
