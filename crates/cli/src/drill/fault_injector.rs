//! What is done to the nodes, sampled by a seed: one fault after the other, each mended before the next one.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use sessile_history::Dice;
use tokio::time::sleep;

use super::event::DrillEvent;
use super::history_recorder::{HistoryRecorder, LoadEnd, NoSuchNode};
use super::observer;
use super::target::Targets;
use crate::failure::Failure;
use crate::local_cluster::LocalCluster;
use crate::{output, signal};

/// The dice of the faults; those of clients have lower numbers.
const FAULT_DICE: u64 = 1 << 32;
/// Between the end of one fault and the next one, in milliseconds.
const CALM_MS: (u64, u64) = (300, 3_000);
/// How long a process is down.
const DOWN_MS: (u64, u64) = (50, 3_000);
/// How long a process is stopped: less and more than the drop time of a cluster of its own, which is 3 s.
const STOP_MS: (u64, u64) = (100, 6_000);
/// How long to sleep before looking whether the load ended.
const GLANCE: Duration = Duration::from_millis(50);

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum NodeFault {
    /// SIGKILL; after a while the node is started again
    Kill,
    /// SIGSTOP, and SIGCONT after a while
    Pause,
    /// Nothing
    None,
}

/// To whom it may be done.
pub(super) enum FaultTargets {
    /// A cluster of our own.
    Own(Box<LocalCluster>),
    /// Processes of the user's, by node: they are paused, never killed, because nobody here could start them again.
    Allowed(Vec<(String, u32)>),
}

/// Reads `NAME=PID`.
pub(super) fn allowed(text: &str) -> Result<(String, u32), String> {
    let (name, id) = text.split_once('=').ok_or("give NAME=PID, as tc01=1234")?;
    let id = id.parse().map_err(|error| format!("{id}: {error}"))?;
    if id < 2 { Err(format!("{id} is no node's process")) } else { Ok((name.to_owned(), id)) }
}

/// Disturbs until the load ends; then everything that was disturbed runs again.
pub(super) async fn work(
    mut fault_targets: FaultTargets,
    faults: Vec<NodeFault>,
    seed: u64,
    targets: Targets,
    recorder: HistoryRecorder,
    end: LoadEnd,
) -> Result<FaultTargets, Failure> {
    let mut dice = Dice::new(seed, FAULT_DICE);
    let nodes = fault_targets.nodes();
    let faults = fault_targets.possible(&faults);
    while !end.is_requested() && !nodes.is_empty() && !faults.is_empty() {
        rest(&mut dice, CALM_MS, &end).await;
        // All copies of a session could be gone if the next one came too early.
        if end.is_requested() || observer::until_calm(&recorder, &targets).await.is_err() {
            break;
        }
        let node = &nodes[dice.below(nodes.len() as u64) as usize];
        match faults[dice.below(faults.len() as u64) as usize] {
            NodeFault::Kill => fault_targets.kill(node, &mut dice, &recorder, &end).await?,
            _ => fault_targets.pause(node, &mut dice, &recorder, &end).await?,
        }
    }
    Ok(fault_targets)
}

impl FaultTargets {
    /// Where the files of a cluster of our own are.
    pub(super) fn place(&self) -> Option<&Path> {
        match self {
            Self::Own(cluster) => Some(cluster.place()),
            Self::Allowed(_) => None,
        }
    }

    /// A cluster of our own ends.
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
        dice: &mut Dice,
        recorder: &HistoryRecorder,
        end: &LoadEnd,
    ) -> Result<(), Failure> {
        let Self::Own(cluster) = self else { return Ok(()) };
        tell(recorder, DrillEvent::Killed(node.to_owned()))?;
        cluster.kill(node).await;
        rest(dice, DOWN_MS, end).await;
        cluster.start(node)?;
        cluster.port_opened(node).await?;
        tell(recorder, DrillEvent::Started(node.to_owned()))
    }

    async fn pause(
        &self,
        node: &str,
        dice: &mut Dice,
        recorder: &HistoryRecorder,
        end: &LoadEnd,
    ) -> Result<(), Failure> {
        let Some(process) = self.process(node) else { return Ok(()) };
        tell(recorder, DrillEvent::Stopped(node.to_owned()))?;
        signal::stop(process)?;
        rest(dice, STOP_MS, end).await;
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

/// Sleeps for a time between the two, or until the load ends.
async fn rest(dice: &mut Dice, (least, below): (u64, u64), end: &LoadEnd) {
    let mut left = Duration::from_millis(least + dice.below(below - least));
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
    fn a_process_is_allowed_by_node_and_number() {
        assert_eq!(allowed("tc01=1234"), Ok(("tc01".to_owned(), 1234)));
        for text in ["tc01", "tc01=", "tc01=0", "tc01=1", "=x"] {
            assert!(allowed(text).is_err(), "{text}");
        }
    }
}
