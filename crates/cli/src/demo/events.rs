//! What is worth telling of what happens, in plain words.

use sessile_balancer::{BackendEvent, BackendState};

use super::paint::Tone;
use crate::rig::{Level, LogLine};

/// A sentence and its tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) tone: Tone,
    pub(super) words: String,
}

impl Told {
    pub(super) fn new(tone: Tone, words: impl Into<String>) -> Self {
        Self { tone, words: words.into() }
    }
}

/// What is told of a node, as its log begins, and how it is told.
const TOLD: [(&str, Tone, &str); 5] = [
    ("member removed ", Tone::Bad, "member lost: "),
    ("member added ", Tone::Good, "member here: "),
    ("state received ", Tone::Good, "has the state of the others: received "),
    ("nobody else is here", Tone::Plain, "nobody else is here"),
    ("stopping", Tone::Plain, "stopping"),
];

/// A line of a node's log; `None` for what only its operator cares about.
pub(super) fn of_node(line: &LogLine) -> Option<Told> {
    let message = line.message();
    for (begins, tone, told) in TOLD {
        if let Some(rest) = message.strip_prefix(begins) {
            return Some(Told::new(tone, format!("{told}{rest}")));
        }
    }
    match line.level {
        Level::Info if message == "session taken over" => {
            let (session, from) = (line.field("session"), line.field("from"));
            Some(Told::new(Tone::Good, format!("session taken over from {from}: {session}")))
        }
        Level::Warn | Level::Error => Some(Told::new(Tone::Bad, line.words())),
        Level::Info | Level::Debug | Level::Trace => None,
    }
}

/// What the balancer saw.
pub(super) fn of_balancer(event: &BackendEvent) -> Told {
    let BackendEvent { node, state, reason, .. } = event;
    let tone = if *state == BackendState::Up { Tone::Good } else { Tone::Bad };
    Told::new(tone, format!("{node} is {state}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(level: &str, message: &str) -> Option<Told> {
        let line = serde_json::json!({
            "level": level, "fields": {"message": message, "session": "KEY", "from": "tc01"}
        });
        of_node(&LogLine::parse(&line.to_string()).unwrap())
    }

    #[test]
    fn what_happens_is_told_in_words() {
        let lost = told("INFO", "member removed tc01: its process is gone").unwrap();
        assert_eq!(lost, Told::new(Tone::Bad, "member lost: tc01: its process is gone"));
        let over = told("INFO", "session taken over").unwrap();
        assert_eq!(over.words, "session taken over from tc01: KEY");
        assert_eq!(told("INFO", "state received in 3 ms, 5 sessions").unwrap().tone, Tone::Good);
        assert_eq!(told("INFO", "the admin port is open"), None);
        assert_eq!(told("DEBUG", "session created"), None);
    }
}
