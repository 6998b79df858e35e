//! One file for each way to break a promise.

mod diverged;
mod doubled;
mod lost;
mod mixed_up;
mod registers;
mod resurrected;
mod stale;
mod torn;

use crate::{Finding, Knowledge};

pub(crate) use lost::gone;

/// Everything that is wrong, each kind once for the same reason.
pub(crate) fn findings(knowledge: &Knowledge<'_>) -> Vec<Finding> {
    let mut findings = [
        lost::find(knowledge),
        doubled::find(knowledge),
        resurrected::find(knowledge),
        torn::find(knowledge),
        diverged::find(knowledge),
        mixed_up::find(knowledge),
        stale::find(knowledge),
    ]
    .concat();
    findings.sort_by_key(|finding| (finding.kind, finding.at));
    findings
}
