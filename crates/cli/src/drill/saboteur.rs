//! What is done to the nodes, sampled by a seed: one fault after the other, each mended before the next one.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use sessile_history::Dice;
use tokio::time::sleep;

use super::event::Event;
use super::journal::{End, Journal, NoSuchNode};
use super::observer;
use super::target::Targets;
use crate::failure::Failure;
use crate::rig::Stage;
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
pub(super) enum FaultKind {
    /// SIGKILL; after a while the node is started again
    Kill,
    /// SIGSTOP, and SIGCONT after a while
    Pause,
    /// Nothing
    None,
}

/// To whom it may be done.
pub(super) enum Prey {
    /// A cluster of our own.
    Own(Box<Stage>),
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
    mut prey: Prey,
    faults: Vec<FaultKind>,
    seed: u64,
    targets: Targets,
    journal: Journal,
    end: End,
) -> Result<Prey, Failure> {
    let mut dice = Dice::new(seed, FAULT_DICE);
    let nodes = prey.nodes();
    let faults = prey.possible(&faults);
    while !end.is_asked() && !nodes.is_empty() && !faults.is_empty() {
        rest(&mut dice, CALM_MS, &end).await;
        // All copies of a session could be gone if the next one came too early.
        if end.is_asked() || observer::until_calm(&journal, &targets).await.is_err() {
            break;
        }
        let node = &nodes[dice.below(nodes.len() as u64) as usize];
        match faults[dice.below(faults.len() as u64) as usize] {
            FaultKind::Kill => prey.kill(node, &mut dice, &journal, &end).await?,
            _ => prey.pause(node, &mut dice, &journal, &end).await?,
        }
    }
    Ok(prey)
}

impl Prey {
    /// Where the files of a cluster of our own are.
    pub(super) fn place(&self) -> Option<&Path> {
        match self {
            Self::Own(stage) => Some(stage.place()),
            Self::Allowed(_) => None,
        }
    }

    /// A cluster of our own ends.
    pub(super) async fn leave(self) {
        if let Self::Own(stage) = self {
            stage.close().await;
        }
    }

    fn nodes(&self) -> Vec<String> {
        match self {
            Self::Own(stage) => stage.plan.nodes.iter().map(|node| node.name.to_owned()).collect(),
            Self::Allowed(nodes) => nodes.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    fn possible(&self, wished: &[FaultKind]) -> Vec<FaultKind> {
        let can = |fault: &&FaultKind| match fault {
            FaultKind::Kill => matches!(self, Self::Own(_)),
            FaultKind::Pause => cfg!(unix),
            FaultKind::None => false,
        };
        wished.iter().filter(can).copied().collect()
    }

    async fn kill(
        &mut self,
        node: &str,
        dice: &mut Dice,
        journal: &Journal,
        end: &End,
    ) -> Result<(), Failure> {
        let Self::Own(stage) = self else { return Ok(()) };
        tell(journal, Event::Killed(node.to_owned()))?;
        stage.kill(node).await;
        rest(dice, DOWN_MS, end).await;
        stage.start(node)?;
        stage.port_opened(node).await?;
        tell(journal, Event::Started(node.to_owned()))
    }

    async fn pause(&self, node: &str, dice: &mut Dice, journal: &Journal, end: &End) -> Result<(), Failure> {
        let Some(process) = self.process(node) else { return Ok(()) };
        tell(journal, Event::Stopped(node.to_owned()))?;
        signal::stop(process)?;
        rest(dice, STOP_MS, end).await;
        signal::go_on(process)?;
        tell(journal, Event::Resumed(node.to_owned()))
    }

    fn process(&self, node: &str) -> Option<u32> {
        match self {
            Self::Own(stage) => stage.process(node).map(|process| process.id),
            Self::Allowed(nodes) => nodes.iter().find(|(name, _)| name == node).map(|(_, id)| *id),
        }
    }
}

fn tell(journal: &Journal, event: Event) -> Result<(), Failure> {
    output::tell(&format!("{:>9.3} s: {event}", journal.now() as f64 / 1e6));
    journal.note(event).map_err(|error: NoSuchNode| Failure::Usage(error.to_string()))
}

/// Sleeps for a time between the two, or until the load ends.
async fn rest(dice: &mut Dice, (least, below): (u64, u64), end: &End) {
    let mut left = Duration::from_millis(least + dice.below(below - least));
    while !left.is_zero() && !end.is_asked() {
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
