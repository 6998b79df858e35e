//! Shows operators of a node how many lines of its log were lost: the log itself cannot tell.

use std::time::Duration;

use sessile::Cluster;
use sessile::status::{Gauge, PartReport};

use super::lossy::lines_lost;

/// Between two looks at the count.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Keeps the count among the metrics of the node, and a warning in its status once it is above zero. Never
/// ends.
pub(crate) async fn report_to(cluster: Cluster) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let mut reported = None;
    loop {
        looks.tick().await;
        let lost = lines_lost();
        if reported != Some(lost) {
            cluster.report("log", report(lost));
            reported = Some(lost);
        }
    }
}

fn report(lost: u64) -> PartReport {
    let help = "lines of the log that could not be written";
    let gauges = vec![Gauge { name: "log_lines_lost", help, value: lost }];
    let warning = format!(
        "{lost} lines of the log were lost: standard error is closed, its disk is full, or nobody reads it fast enough"
    );
    PartReport { warnings: if lost > 0 { vec![warning] } else { Vec::new() }, gauges }
}
