//! Counters of exercised situations: a simulator without conflicts proves nothing about conflicts.

use std::fmt;

use sessile_core::{BOUNDS, Reached};

use crate::harder::{Draw, Profile};

/// Bounds that a run need not reach.
const NOT_REQUIRED: [&str; 2] = ["tombstones", "birth marks"];

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
    /// Stored records that were lost when they were wanted.
    pub lost_records: u64,
    /// Processes that ended because another one had their name.
    pub refused_processes: u64,
    /// Seeds with each draw.
    pub draws: [u64; Draw::ALL.len()],
    /// How often each bound of the core was reached.
    pub bounds: Reached,
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
        self.lost_records += other.lost_records;
        self.refused_processes += other.refused_processes;
        self.draws.iter_mut().zip(other.draws).for_each(|(sum, more)| *sum += more);
        self.bounds.iter_mut().zip(other.bounds).for_each(|(sum, more)| *sum += more);
    }

    /// The draws that must have occurred over many runs with this profile, and the bounds that these runs
    /// must have reached. The bound on tombstones is not among them, because the draw that makes it small is
    /// not held yet; nor is that on birth marks, because one shard sees fewer process starts in a run than
    /// the draw leaves room for.
    pub fn missing(&self, profile: Profile) -> Vec<&'static str> {
        let draws = Draw::ALL.into_iter().filter(|draw| profile.has(*draw) && self.draws[draw.index()] == 0);
        let unreached = |(index, _): &(usize, &&str)| self.bounds[*index] == 0;
        let must = |(_, bound): &(usize, &&str)| !NOT_REQUIRED.contains(*bound);
        let bounds =
            BOUNDS.iter().enumerate().filter(must).filter(unreached).filter(|_| profile != Profile::CLASSIC);
        draws.map(Draw::name).chain(bounds.map(|(_, bound)| *bound)).collect()
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
        self.required().iter().try_for_each(|(name, count)| write!(f, ", {count} {name}"))?;
        let Self { lost_records, refused_processes, .. } = self;
        write!(f, ", {lost_records} lost records, {refused_processes} processes refused for their name")?;
        write!(f, "; seeds with draws:")?;
        let draws = Draw::ALL.iter().zip(self.draws).filter(|(_, count)| *count > 0);
        draws.into_iter().try_for_each(|(draw, count)| write!(f, " {}={count}", draw.name()))?;
        write!(f, "; bounds reached:")?;
        BOUNDS.iter().zip(self.bounds).try_for_each(|(bound, count)| write!(f, " {bound}={count},"))
    }
}
