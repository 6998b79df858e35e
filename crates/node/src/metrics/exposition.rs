//! The text format: a help and a type line for each name, then its samples.

use std::fmt::{Display, Write as _};

use sessile_core::Histogram;

/// In front of every name.
const PREFIX: &str = "sessile_";

/// The text as far as it is written.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// One counter.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(&format!("{name}_total"), help, "counter");
        self.sample(&format!("{name}_total"), "", value);
    }

    /// One gauge.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, help, "gauge");
        self.sample(name, "", value);
    }

    /// One counter for each value of `label`.
    pub fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        rows: impl IntoIterator<Item = (&'l str, impl Display)>,
    ) {
        self.rows(&format!("{name}_total"), help, "counter", label, rows);
    }

    /// One gauge for each value of `label`.
    pub fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        rows: impl IntoIterator<Item = (&'l str, impl Display)>,
    ) {
        self.rows(name, help, "gauge", label, rows);
    }

    /// One histogram for each value of `label`.
    pub fn histograms<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        rows: impl IntoIterator<Item = (&'l str, Histogram)>,
    ) {
        self.head(name, help, "histogram");
        for (row, times) in rows {
            let row = row.replace('\\', "\\\\");
            let row = format!("{label}=\"{row}\"");
            for (bound, count) in times.cumulative() {
                self.sample(
                    &format!("{name}_bucket"),
                    &format!("{{{row},le=\"{}\"}}", bound.as_secs_f64()),
                    count,
                );
            }
            self.sample(&format!("{name}_bucket"), &format!("{{{row},le=\"+Inf\"}}"), times.count());
            self.sample(&format!("{name}_sum"), &format!("{{{row}}}"), times.sum().as_secs_f64());
            self.sample(&format!("{name}_count"), &format!("{{{row}}}"), times.count());
        }
    }

    /// One number under a name that is not this project's own, such as `process_open_fds`.
    pub fn standard(&mut self, name: &str, help: &str, kind: &str, value: impl Display) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
        self.line(format_args!("{name} {value}"));
    }

    /// The text in the format that Prometheus has always read.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }

    /// The text as OpenMetrics 1.0: a family of counters has its name without `_total`, and the end is
    /// marked.
    #[must_use]
    pub fn into_open_metrics(self) -> String {
        let line = |line: &str| match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
            ["#", what, name, rest] => format!("# {what} {} {rest}\n", name.trim_end_matches("_total")),
            _ => format!("{line}\n"),
        };
        self.0.lines().map(line).chain(["# EOF\n".to_owned()]).collect()
    }

    fn rows<'l>(
        &mut self,
        name: &str,
        help: &str,
        kind: &str,
        label: &str,
        rows: impl IntoIterator<Item = (&'l str, impl Display)>,
    ) {
        self.head(name, help, kind);
        for (row, value) in rows {
            let row = row.replace('\\', "\\\\");
            self.sample(name, &format!("{{{label}=\"{row}\"}}"), value);
        }
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.line(format_args!("# HELP {PREFIX}{name} {help}"));
        self.line(format_args!("# TYPE {PREFIX}{name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        self.line(format_args!("{PREFIX}{name}{labels} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes every line");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn histograms_count_up_to_infinity() {
        let (mut out, mut times) = (Exposition::default(), Histogram::default());
        [Duration::from_millis(2), Duration::from_secs(60)].iter().for_each(|time| times.record(*time));
        out.histograms("wait_seconds", "how long", "app", [("/shop", times)]);
        let text = out.into_text();
        for line in [
            "# TYPE sessile_wait_seconds histogram",
            "sessile_wait_seconds_bucket{app=\"/shop\",le=\"0.0016\"} 0",
            "sessile_wait_seconds_bucket{app=\"/shop\",le=\"0.002\"} 1",
            "sessile_wait_seconds_bucket{app=\"/shop\",le=\"+Inf\"} 2",
            "sessile_wait_seconds_sum{app=\"/shop\"} 60.002",
            "sessile_wait_seconds_count{app=\"/shop\"} 2",
        ] {
            assert!(text.lines().any(|written| written == line), "{line}: {text}");
        }
    }

    #[test]
    fn open_metrics_names_families_and_marks_the_end() {
        let mut out = Exposition::default();
        out.counter("asks", "how often in_total was asked", 3);
        out.standard("process_threads", "threads", "gauge", 2);
        assert_eq!(
            out.into_open_metrics(),
            "# HELP sessile_asks how often in_total was asked\n# TYPE sessile_asks counter\nsessile_asks_total 3\n\
             # HELP process_threads threads\n# TYPE process_threads gauge\nprocess_threads 2\n# EOF\n"
        );
    }

    #[test]
    fn every_name_has_help_and_type_once() {
        let mut out = Exposition::default();
        out.counter("asks", "how often", 3);
        out.gauges("queue_bytes", "what waits", "member", [("tc02", 5), ("tc03", 0)]);
        assert_eq!(
            out.into_text(),
            "# HELP sessile_asks_total how often\n# TYPE sessile_asks_total counter\nsessile_asks_total 3\n\
             # HELP sessile_queue_bytes what waits\n# TYPE sessile_queue_bytes gauge\n\
             sessile_queue_bytes{member=\"tc02\"} 5\nsessile_queue_bytes{member=\"tc03\"} 0\n"
        );
    }
}
