//! What is worth telling of what happens, in plain words.

use sessile_balancer::{NodeEvent, NodeState};

use super::log_line::{Level, LogLine};
use super::paint::Tone;

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

/// A line of a node's log; `None` for what only its developers care about.
pub(super) fn of_node(line: &LogLine) -> Option<Told> {
    let message = line.message();
    if let Some(lost) = message.strip_prefix("member removed ") {
        return Some(Told::new(Tone::Bad, format!("member lost: {lost}")));
    }
    if let Some(name) = message.strip_prefix("member added ") {
        return Some(Told::new(Tone::Good, format!("member here: {name}")));
    }
    if let Some(how) = message.strip_prefix("state received ") {
        return Some(Told::new(Tone::Good, format!("has the state: {how}")));
    }
    match line.level {
        Level::Info if message == "session taken over" => {
            let (session, from) = (line.field("session"), line.field("from"));
            Some(Told::new(Tone::Good, format!("session taken over from {from}: {session}")))
        }
        Level::Info => Some(Told::new(Tone::Plain, line.words())),
        Level::Warn | Level::Error => Some(Told::new(Tone::Bad, line.words())),
        Level::Debug | Level::Trace => None,
    }
}

/// What the balancer saw.
pub(super) fn of_balancer(event: &NodeEvent) -> Told {
    let NodeEvent { node, state, reason, .. } = event;
    let tone = if *state == NodeState::Up { Tone::Good } else { Tone::Bad };
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
        assert_eq!(told("DEBUG", "session created"), None);
    }
}
