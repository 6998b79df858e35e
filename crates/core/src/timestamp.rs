//! The order of writes to one field, without any clock.

use std::fmt;

/// One start of one process: 32 random bits, drawn at start. The writer in every timestamp.
///
/// Never the node's name: a restarted node would issue the same timestamp for another value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u32);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Orders the writes to one field of one session: the counter first, then the writer.
///
/// A new timestamp's counter is one more than the highest ever seen in that session, so a write that saw
/// another one always beats it. Writes that did not see each other are ordered by the writer, the same
/// way on every node (Lamport, "Time, Clocks, and the Ordering of Events", 1978).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// One more than the session's `clock` when the write was committed.
    pub counter: u64,
    /// The writer.
    pub incarnation: Incarnation,
}

impl Timestamp {
    /// How far above `clock` a timestamp in a delta may lie: beyond it is damage or malice, not work.
    pub const MAX_LEAP: u64 = 1 << 20;

    /// How far a node goes ahead of its own memory where the cluster begins from it, or gets a session from
    /// it. Below [`MAX_LEAP`](Self::MAX_LEAP), so that its changes are still taken as such.
    pub const FOUNDING_ADVANCE: u64 = 1 << 18;

    /// The greatest counter that a copy may bring. No session is written so often; above it is damage or
    /// malice, and no room for further writes.
    pub const CLOCK_MAX: u64 = 1 << 62;

    /// The timestamp `(counter, incarnation)`.
    pub fn new(counter: u64, incarnation: Incarnation) -> Self {
        Self { counter, incarnation }
    }
}
