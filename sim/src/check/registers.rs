//! Which value of a register a reader may see: any that no write it must know of has surely replaced.

use crate::check::knowledge::Knowledge;
use crate::history::{Attribute, Op, OpId, SessionId};

/// A write that proves that `found` is not what the reader should have seen.
///
/// `demanded` says of a write whether the reader must know of it.
pub(super) fn refutation<'h>(
    knowledge: &Knowledge<'h>,
    session: SessionId,
    attribute: Attribute,
    found: Option<u64>,
    demanded: impl Fn(&Op) -> bool,
) -> Option<(OpId, &'h Op)> {
    let writes: Vec<_> = knowledge.ops_of(session).filter(|(_, op)| op.writes(attribute).is_some()).collect();
    // Before any write there was nothing, which every write that is demanded has replaced.
    let sources: Vec<_> =
        writes.iter().filter(|(_, op)| op.writes(attribute) == Some(found) && op.counts()).collect();
    writes.iter().rev().copied().find(|(id, write)| {
        write.over().is_some()
            && write.writes(attribute) != Some(found)
            && sources.iter().all(|(_, source)| knowledge.is_older(source, write))
            && demanded(write)
            && !sources.iter().any(|(source, _)| source == id)
    })
}

/// The attributes of one session that are registers or members of its set, each once.
pub(super) fn written(knowledge: &Knowledge<'_>, session: SessionId) -> Vec<Attribute> {
    let mut names: Vec<_> = knowledge
        .ops_of(session)
        .filter_map(|(_, op)| match &op.action {
            crate::history::Action::Write(writes) => Some(writes.iter().map(|(name, _)| *name)),
            _ => None,
        })
        .flatten()
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
