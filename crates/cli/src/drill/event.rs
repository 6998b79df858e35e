//! Events of the cluster, in a text form for people and programs.

use std::fmt;
use std::str::FromStr;

/// One event. Nodes are identified by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DrillEvent {
    /// A process is about to be killed, or ended.
    Killed(String),
    /// A process serves.
    Started(String),
    /// A process is about to be stopped (SIGSTOP).
    Stopped(String),
    /// The stopped process continues.
    Resumed(String),
    /// A network partition is about to begin; without sides it is not a clean partition.
    Cut(Option<Vec<Vec<String>>>),
    /// The partition is healed; the observer detects when all nodes agree again.
    Healed,
    /// A note for readers of the history.
    Note(String),
}

/// A line that is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an event; events are `killed NODE`, `started NODE`, `stopped NODE`, `resumed NODE`, `cut`, `cut NODE,NODE \
     NODE`, `healed` and `note WORDS`"
)]
pub(super) struct NotAnEvent(String);

impl FromStr for DrillEvent {
    type Err = NotAnEvent;

    fn from_str(line: &str) -> Result<Self, NotAnEvent> {
        let (verb, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        let node = || (!rest.is_empty() && !rest.contains([' ', ','])).then(|| rest.to_owned());
        let event = match verb {
            "killed" => node().map(Self::Killed),
            "started" => node().map(Self::Started),
            "stopped" => node().map(Self::Stopped),
            "resumed" => node().map(Self::Resumed),
            "cut" => Some(Self::Cut((!rest.is_empty()).then(|| sides(rest)))),
            "healed" if rest.is_empty() => Some(Self::Healed),
            "note" => Some(Self::Note(rest.to_owned())),
            _ => None,
        };
        event.ok_or_else(|| NotAnEvent(line.to_owned()))
    }
}

fn sides(text: &str) -> Vec<Vec<String>> {
    text.split_whitespace().map(|side| side.split(',').map(str::to_owned).collect()).collect()
}

impl fmt::Display for DrillEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(node) => write!(f, "killed {node}"),
            Self::Started(node) => write!(f, "started {node}"),
            Self::Stopped(node) => write!(f, "stopped {node}"),
            Self::Resumed(node) => write!(f, "resumed {node}"),
            Self::Cut(None) => f.write_str("cut"),
            Self::Cut(Some(sides)) => {
                f.write_str("cut")?;
                sides.iter().try_for_each(|side| write!(f, " {}", side.join(",")))
            }
            Self::Healed => f.write_str("healed"),
            Self::Note(words) => write!(f, "note {words}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_round_trip_as_lines() {
        for line in [
            "killed tc01",
            "started tc01",
            "stopped tc02",
            "resumed tc02",
            "cut",
            "cut tc01,tc02 tc03",
            "healed",
            "note loss of 5 %",
        ] {
            assert_eq!(line.parse::<DrillEvent>().map(|event| event.to_string()), Ok(line.to_owned()));
        }
        for line in ["", "killed", "killed tc01 tc02", "healed now", "burnt tc01"] {
            assert!(line.parse::<DrillEvent>().is_err(), "{line}");
        }
    }
}
