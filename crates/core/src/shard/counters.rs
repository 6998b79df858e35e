//! Counters and views of shards, beside their effects.

use std::time::Duration;

use crate::{Histogram, Incarnation, NotTaken};

/// Bytes and sessions that wait to be sent to one member, or are on the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The member.
    pub to: Incarnation,
    /// Sessions of which it must get a copy or the end.
    pub sessions: u64,
    /// Frames on the way that it has not acknowledged.
    pub unacknowledged: u64,
    /// Bytes of changes that it has not confirmed: on the way, and roughly those of changes that wait in the
    /// backlog instead.
    pub bytes: u64,
    /// How long the oldest frame has been on the way.
    pub age: Duration,
}

impl Backlog {
    pub(crate) fn none(to: Incarnation) -> Self {
        Self { to, sessions: 0, unacknowledged: 0, bytes: 0, age: Duration::ZERO }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            to: self.to,
            sessions: self.sessions + other.sessions,
            unacknowledged: self.unacknowledged + other.unacknowledged,
            bytes: self.bytes + other.bytes,
            age: self.age.max(other.age),
        }
    }
}

/// Frames that a member did not take, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NegativeAcks([u64; NotTaken::ALL.len()]);

impl NegativeAcks {
    pub(crate) fn count(&mut self, cause: NotTaken) {
        self.0[cause as usize] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }

    /// Every cause with its number.
    pub fn by_cause(&self) -> impl Iterator<Item = (NotTaken, u64)> {
        NotTaken::ALL.into_iter().map(|cause| (cause, self.0[cause as usize]))
    }

    /// All causes together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Counts since the start. [`Counters`](crate::Counters) says what each of them means.
#[derive(Debug, Default)]
pub(crate) struct ShardCounters {
    pub(crate) asks: u64,
    pub(crate) negative_acks: NegativeAcks,
    pub(crate) conflicts: u64,
    pub(crate) late_writes: u64,
    pub(crate) restarts: u64,
    pub(crate) frames_early: u64,
    pub(crate) gaps: u64,
    pub(crate) copies_refused: u64,
    pub(crate) expired: u64,
    pub(crate) repaired: u64,
    pub(crate) created: u64,
    pub(crate) invalidated: u64,
    /// How long members took to confirm what they were sent.
    pub(crate) confirmed_after: Histogram,
}
