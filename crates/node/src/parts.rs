//! What parts of the process beside the sessions, such as the farm of a node, want operators to see.
//!
//! They push it; this module calls nobody. Knows nothing of what they are.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// What one part says now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartReport {
    /// What an operator should mend, a sentence each.
    pub warnings: Vec<String>,
    /// What is counted.
    pub gauges: Vec<Gauge>,
}

/// A number among the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// Its name, without the prefix `sessile_`.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// How much.
    pub value: u64,
}

/// The newest report of each part.
#[derive(Debug, Default)]
pub(super) struct Parts(Mutex<BTreeMap<&'static str, PartReport>>);

impl Parts {
    pub(super) fn report(&self, part: &'static str, report: PartReport) {
        self.0.lock().insert(part, report);
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.0.lock().values().flat_map(|report| report.warnings.clone()).collect()
    }

    pub(super) fn gauges(&self) -> Vec<Gauge> {
        self.0.lock().values().flat_map(|report| report.gauges.clone()).collect()
    }
}
