//! The values of an attribute that a reader may see: all that no known write has certainly replaced.

use std::collections::BTreeSet;

use crate::{Attribute, Knowledge, Operation, OperationId, SessionId};

/// A write that proves that the reader must not see `found`.
///
/// `demanded` tells whether the reader must know a write.
pub(super) fn refutation<'h>(
    knowledge: &Knowledge<'h>,
    session: SessionId,
    attribute: Attribute,
    found: Option<u64>,
    demanded: impl Fn(&Operation) -> bool,
) -> Option<(OperationId, &'h Operation)> {
    let writes: Vec<_> =
        knowledge.operations_of(session).filter(|(_, write)| write.writes(attribute).is_some()).collect();
    // The initial absence is replaced by every required write.
    let sources: Vec<_> =
        writes.iter().filter(|(_, op)| op.writes(attribute) == Some(found) && op.counts()).collect();
    writes.iter().rev().copied().find(|(id, write)| {
        write.over().is_some()
            && write.writes(attribute) != Some(found)
            && !sources.iter().any(|(source, _)| source == id)
            && demanded(write)
            && sources.iter().all(|(_, source)| knowledge.is_older(source, write))
    })
}

/// The attributes written to a session, each once.
pub(super) fn written(knowledge: &Knowledge<'_>, session: SessionId) -> BTreeSet<Attribute> {
    let writes = knowledge.operations_of(session).flat_map(|(_, operation)| operation.written());
    writes.map(|(name, _)| *name).collect()
}
