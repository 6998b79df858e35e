//! Counters of exercised situations: a simulator without conflicts proves nothing about conflicts.

use std::fmt;

/// Counters over one run or many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunCounters {
    /// Operations that clients began.
    pub operations: u64,
    /// Faults that happened.
    pub faults: u64,
    /// Splits without a cut, in heavy loss.
    pub unplanned_splits: u64,
    /// Openings that asked every member.
    pub fetches: u64,
    /// Copies or changes that a member refused to acknowledge.
    pub negative_acks: u64,
    /// Writes of one field that did not know of each other.
    pub conflicts: u64,
    /// Ends that met a write which came too late.
    pub late_writes: u64,
    /// State transfers whose donor failed.
    pub interrupted_transfers: u64,
    /// Times a node stopped answering because its lease had run out.
    pub leases_run_out: u64,
    /// Times a session's content was swapped out.
    pub swaps: u64,
    /// Frames of a version that the receiver does not know.
    pub unknown_frames: u64,
    /// Frames that found no room in the queue of their link.
    pub refused_frames: u64,
    /// Frames that arrived before one that was sent earlier.
    pub early_frames: u64,
}

impl RunCounters {
    /// Adds another run's counters.
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.faults += other.faults;
        self.unplanned_splits += other.unplanned_splits;
        self.fetches += other.fetches;
        self.negative_acks += other.negative_acks;
        self.conflicts += other.conflicts;
        self.late_writes += other.late_writes;
        self.interrupted_transfers += other.interrupted_transfers;
        self.leases_run_out += other.leases_run_out;
        self.swaps += other.swaps;
        self.unknown_frames += other.unknown_frames;
        self.refused_frames += other.refused_frames;
        self.early_frames += other.early_frames;
    }

    /// The counters that must be above zero over many runs.
    pub fn required(&self) -> [(&'static str, u64); 10] {
        [
            ("fetches", self.fetches),
            ("negative acks", self.negative_acks),
            ("conflicts", self.conflicts),
            ("ends that met a late write", self.late_writes),
            ("interrupted transfers", self.interrupted_transfers),
            ("leases that ran out", self.leases_run_out),
            ("swaps", self.swaps),
            ("frames of an unknown kind", self.unknown_frames),
            ("frames without room", self.refused_frames),
            ("early frames", self.early_frames),
        ]
    }
}

impl fmt::Display for RunCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, faults, unplanned_splits, .. } = self;
        write!(f, "{operations} operations, {faults} faults, {unplanned_splits} unplanned splits")?;
        self.required().iter().try_for_each(|(name, count)| write!(f, ", {count} {name}"))
    }
}
