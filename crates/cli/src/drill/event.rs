//! What becomes of the cluster, in words that people and programs can tell a drill.

use std::fmt;
use std::str::FromStr;

/// One event. Nodes are called by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DrillEvent {
    /// A process is about to be killed, or has ended.
    Killed(String),
    /// A process serves.
    Started(String),
    /// A process is about to be stopped.
    Stopped(String),
    /// It goes on.
    Resumed(String),
    /// A cut is about to be made; without sides it is no clean one.
    Cut(Option<Vec<Vec<String>>>),
    /// The cut is mended; that all are of one mind again is watched.
    Healed,
    /// Anything else that a reader of the history wants to know.
    Note(String),
}

/// Why a line is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no event; there are `killed NODE`, `started NODE`, `stopped NODE`, `resumed NODE`, `cut`, `cut NODE,NODE \
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
    fn an_event_is_the_line_that_tells_it() {
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
