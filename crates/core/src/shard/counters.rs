//! What one shard counts, beside its effects.

use crate::Histogram;
use crate::node::NegativeAcks;

/// Counts since the start. [`Counters`](crate::Counters) says what each of them means.
#[derive(Debug, Default)]
pub(crate) struct ShardCounters {
    pub(crate) asks: u64,
    pub(crate) negative_acks: NegativeAcks,
    pub(crate) conflicts: u64,
    pub(crate) late_writes: u64,
    pub(crate) restarts: u64,
    pub(crate) copies_refused: u64,
    pub(crate) expired: u64,
    pub(crate) repaired: u64,
    pub(crate) created: u64,
    pub(crate) invalidated: u64,
    /// How long members took to confirm what they were sent.
    pub(crate) confirmed_after: Histogram,
}
