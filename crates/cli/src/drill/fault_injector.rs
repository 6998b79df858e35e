//! Injects faults into nodes, chosen by a seed: one fault at a time, each undone before the next.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use sessile_history::SeededRng;
use tokio::time::sleep;

use super::event::DrillEvent;
use super::history_recorder::{HistoryRecorder, LoadEnd, NoSuchNode};
use super::observer;
use super::target::Targets;
use crate::failure::Failure;
use crate::local_cluster::LocalCluster;
use crate::{output, signal};

/// Random stream of the faults; clients use streams with lower numbers.
const FAULT_STREAM: u64 = 1 << 32;
/// Pause between two faults, in milliseconds.
const CALM_MS: (u64, u64) = (300, 3_000);
/// Time until a killed process is restarted.
const DOWN_MS: (u64, u64) = (50, 3_000);
/// Time for which a process is stopped: below and above the drop time (3 s) of a cluster started with --own.
const STOP_MS: (u64, u64) = (100, 6_000);
/// Poll interval for the end of the load.
const GLANCE: Duration = Duration::from_millis(50);

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum NodeFault {
    /// SIGKILL; after a while the node is started again
    Kill,
    /// SIGSTOP, and SIGCONT after a while
    Pause,
    /// Nothing
    None,
}

/// The nodes that faults may hit.
pub(super) enum FaultTargets {
    /// A cluster started by the drill.
    Own(Box<LocalCluster>),
    /// The user's processes by node: they are paused, never killed, because the drill cannot restart them.
    Allowed(Vec<(String, u32)>),
}

/// Reads `NAME=PID`.
pub(super) fn allowed(text: &str) -> Result<(String, u32), String> {
    let (name, id) = text.split_once('=').ok_or("give NAME=PID, as tc01=1234")?;
    let id = id.parse().map_err(|error| format!("{id}: {error}"))?;
    if id < 2 { Err(format!("{id} cannot be the process of a node")) } else { Ok((name.to_owned(), id)) }
}

/// Injects faults until the load ends; then all nodes run again.
pub(super) async fn work(
    mut fault_targets: FaultTargets,
    faults: Vec<NodeFault>,
    seed: u64,
    targets: Targets,
    recorder: HistoryRecorder,
    end: LoadEnd,
) -> Result<FaultTargets, Failure> {
    let mut rng = SeededRng::new(seed, FAULT_STREAM);
    let nodes = fault_targets.nodes();
    let faults = fault_targets.possible(&faults);
    while !end.is_requested() && !nodes.is_empty() && !faults.is_empty() {
        rest(&mut rng, CALM_MS, &end).await;
        // An early second fault could destroy all copies of a session.
        if end.is_requested() || observer::until_calm(&recorder, &targets).await.is_err() {
            break;
        }
        let node = &nodes[rng.below(nodes.len() as u64) as usize];
        match faults[rng.below(faults.len() as u64) as usize] {
            NodeFault::Kill => fault_targets.kill(node, &mut rng, &recorder, &end).await?,
            _ => fault_targets.pause(node, &mut rng, &recorder, &end).await?,
        }
    }
    Ok(fault_targets)
}

impl FaultTargets {
    /// The folder of a cluster started by the drill.
    pub(super) fn place(&self) -> Option<&Path> {
        match self {
            Self::Own(cluster) => Some(cluster.place()),
            Self::Allowed(_) => None,
        }
    }

    /// Stops a cluster started by the drill.
    pub(super) async fn leave(self) {
        if let Self::Own(cluster) = self {
            cluster.close().await;
        }
    }

    fn nodes(&self) -> Vec<String> {
        match self {
            Self::Own(cluster) => cluster.plan.nodes.iter().map(|node| node.name.to_owned()).collect(),
            Self::Allowed(nodes) => nodes.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    fn possible(&self, wished: &[NodeFault]) -> Vec<NodeFault> {
        let can = |fault: &&NodeFault| match fault {
            NodeFault::Kill => matches!(self, Self::Own(_)),
            NodeFault::Pause => cfg!(unix),
            NodeFault::None => false,
        };
        wished.iter().filter(can).copied().collect()
    }

    async fn kill(
        &mut self,
        node: &str,
        rng: &mut SeededRng,
        recorder: &HistoryRecorder,
        end: &LoadEnd,
    ) -> Result<(), Failure> {
        let Self::Own(cluster) = self else { return Ok(()) };
        tell(recorder, DrillEvent::Killed(node.to_owned()))?;
        cluster.kill(node).await;
        rest(rng, DOWN_MS, end).await;
        cluster.start(node)?;
        cluster.port_opened(node).await?;
        tell(recorder, DrillEvent::Started(node.to_owned()))
    }

    async fn pause(
        &self,
        node: &str,
        rng: &mut SeededRng,
        recorder: &HistoryRecorder,
        end: &LoadEnd,
    ) -> Result<(), Failure> {
        let Some(process) = self.process(node) else { return Ok(()) };
        tell(recorder, DrillEvent::Stopped(node.to_owned()))?;
        signal::stop(process)?;
        rest(rng, STOP_MS, end).await;
        signal::go_on(process)?;
        tell(recorder, DrillEvent::Resumed(node.to_owned()))
    }

    fn process(&self, node: &str) -> Option<u32> {
        match self {
            Self::Own(cluster) => cluster.process(node).map(|process| process.id),
            Self::Allowed(nodes) => nodes.iter().find(|(name, _)| name == node).map(|(_, id)| *id),
        }
    }
}

fn tell(recorder: &HistoryRecorder, event: DrillEvent) -> Result<(), Failure> {
    output::tell(&format!("{:>9.3} s: {event}", recorder.now() as f64 / 1e6));
    recorder.note(event).map_err(|error: NoSuchNode| Failure::Usage(error.to_string()))
}

/// Sleeps for a random time in the range, or until the load ends.
async fn rest(rng: &mut SeededRng, (least, below): (u64, u64), end: &LoadEnd) {
    let mut left = Duration::from_millis(least + rng.below(below - least));
    while !left.is_zero() && !end.is_requested() {
        let step = left.min(GLANCE);
        sleep(step).await;
        left -= step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_parses_name_and_pid() {
        assert_eq!(allowed("tc01=1234"), Ok(("tc01".to_owned(), 1234)));
        for text in ["tc01", "tc01=", "tc01=0", "tc01=1", "=x"] {
            assert!(allowed(text).is_err(), "{text}");
        }
    }
}
