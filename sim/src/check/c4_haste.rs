//! C4: a response waits for the writes that it shows.

use std::time::Duration;

use sessile_core::Ack;

use crate::check::Violation;
use crate::check::knowledge::Knowledge;
use crate::history::{Action, Attribute, Op, OpId};

const CHECKER: &str = "C4 haste";

/// The simulator records that a commit is settled when its request wakes up: at most this long after the
/// fact.
const WAKING: Duration = Duration::from_micros(300);

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    let ops = knowledge.history.ops.iter().enumerate();
    ops.filter_map(|(id, op)| hasty(knowledge, id, op)).collect()
}

/// A response showed an unsettled write: the next reader on another node may not find it.
fn hasty(knowledge: &Knowledge<'_>, id: OpId, op: &Op) -> Option<Violation> {
    let (seen, ended) = (op.seen.as_ref()?, op.over()?);
    if !matches!(op.action, Action::Read) || knowledge.history.mode == Ack::Asynchronous {
        return None;
    }
    let is_early = |(name, value): (&Attribute, &u64)| {
        let write = usize::try_from(*value).ok().filter(|_| *name != Attribute::Canary)?;
        let record =
            knowledge.history.ops.get(write).filter(|record| record.incarnation == op.incarnation)?;
        let settled = record.receipt.is_some_and(|(at, _)| at <= ended.plus(WAKING));
        (record.session == op.session && !settled).then_some(write)
    };
    let write = seen.iter().find_map(is_early)?;
    Some(Violation {
        checker: CHECKER,
        words: "a response did not wait for the write that it had read".into(),
        session: Some(op.session),
        ops: vec![write, id],
    })
}
