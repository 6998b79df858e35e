//! Observes whether all nodes agree: each is ready and sees all others.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::history_recorder::HistoryRecorder;
use super::target::{Stats, Targets};
use crate::connection::Connection;

/// Interval of the polls.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Agreement counts after it lasted this long.
const SETTLING: Duration = Duration::from_secs(1);
/// A node without a response for this long does not agree.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest wait until all nodes agree again.
const HEALING: Duration = Duration::from_secs(90);

/// Polls forever and records agreement.
pub(super) async fn watch(targets: Targets, recorder: HistoryRecorder) {
    let mut nodes = connections(&targets);
    let mut since = None;
    loop {
        sleep(LOOK_EVERY).await;
        let Some((living, epoch)) = recorder.undisturbed() else {
            since = None;
            continue;
        };
        let now = recorder.now();
        if !agree(&mut nodes, living).await {
            since = None;
            continue;
        }
        let (first, of) = *since.get_or_insert((now, epoch));
        if of != epoch {
            since = Some((now, epoch));
        } else if now - first >= SETTLING.as_micros() as u64 {
            recorder.agreement(first + SETTLING.as_micros() as u64, now, epoch);
        }
    }
}

/// Waits until all nodes agree; the error describes their views. Without named nodes it returns at once.
pub(super) async fn until_calm(recorder: &HistoryRecorder, targets: &Targets) -> Result<(), String> {
    let began = Instant::now();
    while !targets.nodes.is_empty() && !recorder.is_calm() {
        if began.elapsed() > HEALING {
            return Err(views(targets).await);
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

fn connections(targets: &Targets) -> Vec<Connection> {
    targets.nodes.iter().map(|(_, at)| Connection::with_patience(*at, PATIENCE)).collect()
}

/// Whether `living` nodes are ready and see exactly each other.
async fn agree(nodes: &mut [Connection], living: usize) -> bool {
    let mut ready = 0;
    for node in nodes {
        match Stats::ask(node).await {
            Ok(stats) if stats.members + 1 == living => ready += 1,
            Ok(_) => return false,
            Err(_) => {}
        }
    }
    ready == living
}

async fn views(targets: &Targets) -> String {
    let mut words = Vec::new();
    for ((name, _), mut node) in targets.nodes.iter().zip(connections(targets)) {
        words.push(match Stats::ask(&mut node).await {
            Ok(stats) => format!("{name} sees {} others", stats.members),
            Err(why) => format!("{name}: {why}"),
        });
    }
    words.join(", ")
}
