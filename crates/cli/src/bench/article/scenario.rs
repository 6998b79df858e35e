//! The scenarios of the article with their printed figures, and the scenarios that Sessile adds.

use std::time::Duration;

use crate::bench::workload::Workload;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scenario {
    pub(crate) code: &'static str,
    pub(crate) manager: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) workload: Workload,
    /// Pause between two requests, as the article's table prints it.
    pub(crate) delay: Duration,
    pub(crate) printed: Option<Printed>,
}

/// The article's averages: times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Printed {
    pub(crate) response: f64,
    pub(crate) request: f64,
    pub(crate) overhead: f64,
    pub(crate) replication: f64,
    /// Not given for the asynchronous mode.
    pub(crate) bytes_per_ms: Option<f64>,
    pub(crate) bytes_per_request: f64,
}

const SECOND: Duration = Duration::from_secs(1);
const TWO_SECONDS: Duration = Duration::from_secs(2);

use Workload::{Heavy, Lite};

/// All of them, in the order in which they are measured. The article's `simple` manager is `full` here.
pub(crate) const ALL: [Scenario; 11] = [
    of_the_article("SPL2", "full", "pooled", Heavy, SECOND, [59.0, 71.0, 35.0, 20.0, 462.45, 9249.0]),
    of_the_article("SPS2", "full", "pooled", Lite, SECOND, [37.0, 26.0, 20.0, 10.0, 88.0, 880.0]),
    of_the_article("DPL2", "delta", "pooled", Heavy, SECOND, [57.0, 63.0, 27.0, 15.0, 309.8, 4647.0]),
    of_the_article("DPS2", "delta", "pooled", Lite, SECOND, [26.0, 6.0, 5.0, 2.0, 82.2, 411.0]),
    of_the_article("DSS2", "delta", "sync", Lite, TWO_SECONDS, [32.0, 21.0, 15.0, 5.0, 123.0, 615.0]),
    of_the_article("DAS2", "delta", "async", Lite, TWO_SECONDS, [24.0, 11.0, 5.0, 20.0, f64::NAN, 612.0]),
    of_the_article("DAL2", "delta", "async", Heavy, TWO_SECONDS, [55.0, 51.0, 14.0, 20.0, f64::NAN, 4679.0]),
    added("pipelined-large", "delta", "pipelined", Heavy),
    added("pipelined-small", "delta", "pipelined", Lite),
    added("local-large", "local", "pipelined", Heavy),
    added("local-small", "local", "pipelined", Lite),
];

const fn of_the_article(
    code: &'static str,
    manager: &'static str,
    mode: &'static str,
    workload: Workload,
    delay: Duration,
    printed: [f64; 6],
) -> Scenario {
    let [response, request, overhead, replication, ratio, bytes_per_request] = printed;
    let bytes_per_ms = if ratio.is_nan() { None } else { Some(ratio) };
    let printed = Printed { response, request, overhead, replication, bytes_per_ms, bytes_per_request };
    Scenario { code, manager, mode, workload, delay, printed: Some(printed) }
}

const fn added(
    code: &'static str,
    manager: &'static str,
    mode: &'static str,
    workload: Workload,
) -> Scenario {
    Scenario { code, manager, mode, workload, delay: SECOND, printed: None }
}

impl Scenario {
    pub(crate) fn session(&self) -> &'static str {
        match self.workload {
            Heavy => "large",
            Lite => "small",
        }
    }

    /// Whether the scenario replicates.
    pub(crate) fn is_replicated(&self) -> bool {
        self.manager != "local"
    }
}
