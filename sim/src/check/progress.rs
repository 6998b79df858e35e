//! Every request ends, valid frames are decoded, and the cluster agrees again.

use crate::check::Violation;
use crate::check::knowledge::Knowledge;

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    let alarm = |words: &String| Violation {
        checker: "progress",
        words: words.clone(),
        session: None,
        ops: Vec::new(),
    };
    let broken = knowledge.history.broken.iter();
    let broken = broken.map(|(checker, words)| Violation { checker, ..alarm(words) });
    knowledge.history.alarms.iter().map(alarm).chain(broken).collect()
}
