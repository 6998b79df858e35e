//! The text format: a help and a type line for each name, then its samples.

use std::fmt::{Display, Write as _};

/// In front of every name.
const PREFIX: &str = "sessile_";

/// The text as far as it is written.
#[derive(Default)]
pub(super) struct Exposition(String);

impl Exposition {
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(&format!("{name}_total"), help, "counter");
        self.sample(&format!("{name}_total"), "", value);
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, help, "gauge");
        self.sample(name, "", value);
    }

    /// One counter for each value of `label`.
    pub(super) fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        rows: impl IntoIterator<Item = (&'l str, impl Display)>,
    ) {
        self.rows(&format!("{name}_total"), help, "counter", label, rows);
    }

    /// One gauge for each value of `label`.
    pub(super) fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        rows: impl IntoIterator<Item = (&'l str, impl Display)>,
    ) {
        self.rows(name, help, "gauge", label, rows);
    }

    pub(super) fn into_text(self) -> String {
        self.0
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
    use super::*;

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
