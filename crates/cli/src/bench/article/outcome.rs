//! The result of one scenario: a row of the report, computed from the measurements of clients and nodes.

use super::scenario::Scenario;
use crate::bench::exposed::Exposed;
use crate::bench::measuring_clients::ClientMeasurements;
use crate::bench::report::Row;

/// What the nodes counted under load and at rest.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeCounters {
    pub(crate) busy: Exposed,
    /// Bytes per second on the replication sockets at rest: heartbeats.
    pub(crate) idle_bytes_per_second: f64,
}

const BYTES: &str = "sessile_bytes_sent_total";

impl NodeCounters {
    /// Bytes per request on all replication sockets, without the bytes that flow at rest.
    fn bytes_per_request(&self, measured: &ClientMeasurements) -> f64 {
        let rest = self.idle_bytes_per_second * measured.lasted.as_secs_f64();
        let requests = measured.response.len().max(1) as f64;
        (self.busy.value(BYTES) - rest).max(0.0) / requests
    }
}

/// The row of a scenario. Its samples are those of the clients.
pub(crate) fn row(scenario: &Scenario, measured: ClientMeasurements, counted: &NodeCounters) -> Row {
    let mut row = Row::new(scenario.code);
    let bytes = counted.bytes_per_request(&measured);
    row.times("response", measured.response);
    for (name, metric) in [
        ("request", "sessile_app_write_seconds"),
        ("overhead", "sessile_app_write_overhead_seconds"),
        ("replication", "sessile_confirmation_seconds"),
    ] {
        let steps = counted.busy.steps(metric);
        if steps.count > 0.0 {
            row.figure(&format!("{name} mean"), "ms", steps.mean_ms());
            row.figure(&format!("{name} p50"), "ms", steps.percentile_ms(0.5));
            row.figure(&format!("{name} p99"), "ms", steps.percentile_ms(0.99));
        }
    }
    if scenario.is_replicated() {
        row.times("visible", measured.visible);
        if let Some(replication) = row.value("replication mean").filter(|mean| *mean > 0.0) {
            row.figure("bytes/ms", "B/ms", bytes / replication);
        }
        row.figure("bytes/request", "B", bytes);
        row.figure("bytes at rest", "B/s", counted.idle_bytes_per_second);
    }
    row.times("remove", measured.remove);
    row.times("invalidate", measured.invalidate);
    row.figure("wrong answers", "", measured.faults.len() as f64);
    row.figure("unanswered", "", measured.unanswered as f64);
    row
}
