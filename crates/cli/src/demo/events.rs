//! Messages of the demo about events of nodes and balancer.

use sessile_balancer::{BackendEvent, BackendState};

use super::paint::Tone;
use crate::local_cluster::{Level, LogLine};

/// A message and its tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DemoMessage {
    pub(super) tone: Tone,
    pub(super) words: String,
}

impl DemoMessage {
    pub(super) fn new(tone: Tone, words: impl Into<String>) -> Self {
        Self { tone, words: words.into() }
    }
}

/// Shown log messages of nodes: prefix, tone, replacement of the prefix.
const SHOWN: [(&str, Tone, &str); 5] = [
    ("member removed ", Tone::Bad, "member lost: "),
    ("member added ", Tone::Good, "member here: "),
    ("state received ", Tone::Good, "has the state of the others: received "),
    ("nobody else is here", Tone::Plain, "nobody else is here"),
    ("stopping", Tone::Plain, "stopping"),
];

/// The message for a line of a node's log; `None` for lines of no interest here.
pub(super) fn of_node(line: &LogLine) -> Option<DemoMessage> {
    let message = line.message();
    for (begins, tone, shown) in SHOWN {
        if let Some(rest) = message.strip_prefix(begins) {
            return Some(DemoMessage::new(tone, format!("{shown}{rest}")));
        }
    }
    match line.level {
        Level::Info if message == "session taken over" => {
            let (session, from) = (line.field("session"), line.field("from"));
            Some(DemoMessage::new(Tone::Good, format!("session taken over from {from}: {session}")))
        }
        Level::Warn | Level::Error => Some(DemoMessage::new(Tone::Bad, line.words())),
        Level::Info | Level::Debug | Level::Trace => None,
    }
}

/// The message for a change that the balancer saw.
pub(super) fn of_balancer(event: &BackendEvent) -> DemoMessage {
    let BackendEvent { node, state, reason, .. } = event;
    let tone = if *state == BackendState::Up { Tone::Good } else { Tone::Bad };
    DemoMessage::new(tone, format!("{node} is {state}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: &str, message: &str) -> Option<DemoMessage> {
        let line = serde_json::json!({
            "level": level, "fields": {"message": message, "session": "KEY", "from": "tc01"}
        });
        of_node(&LogLine::parse(&line.to_string()).unwrap())
    }

    #[test]
    fn log_lines_become_messages() {
        let lost = message("INFO", "member removed tc01: its process is gone").unwrap();
        assert_eq!(lost, DemoMessage::new(Tone::Bad, "member lost: tc01: its process is gone"));
        let over = message("INFO", "session taken over").unwrap();
        assert_eq!(over.words, "session taken over from tc01: KEY");
        assert_eq!(message("INFO", "state received in 3 ms, 5 sessions").unwrap().tone, Tone::Good);
        assert_eq!(message("INFO", "the admin port is open"), None);
        assert_eq!(message("DEBUG", "session created"), None);
    }
}
