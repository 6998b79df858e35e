//! One file for each way to break a promise.

mod diverged;
mod doubled;
mod lost;
mod mixed_up;
mod registers;
mod resurrected;
mod stale;
mod torn;

use crate::{BrokenPromise, Knowledge};

pub(crate) use lost::gone;

/// All broken promises, each kind once for the same reason.
pub(crate) fn broken_promises(knowledge: &Knowledge<'_>) -> Vec<BrokenPromise> {
    let mut broken_promises = [
        lost::find(knowledge),
        doubled::find(knowledge),
        resurrected::find(knowledge),
        torn::find(knowledge),
        diverged::find(knowledge),
        mixed_up::find(knowledge),
        stale::find(knowledge),
    ]
    .concat();
    broken_promises.sort_by_key(|finding| (finding.kind, finding.at));
    broken_promises
}
