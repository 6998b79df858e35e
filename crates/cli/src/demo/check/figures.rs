//! The figures of a round, or of all rounds, as one line.

use std::fmt;
use std::time::Duration;

/// The figures of a round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) acknowledged: u64,
    pub(super) unknown: u64,
    pub(super) lost: usize,
    pub(super) doubled: usize,
    /// From the kill to the first answer to a client of the dead node.
    pub(super) first_good: Duration,
    /// From process start until its port is open.
    pub(super) rejoin: Duration,
}

impl Figures {
    /// This round's share: counts minus `before`, times unchanged.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            acknowledged: self.acknowledged - before.acknowledged,
            unknown: self.unknown - before.unknown,
            lost: self.lost - before.lost,
            doubled: self.doubled - before.doubled,
            ..self
        }
    }

    /// Adds counts; keeps the longest of times.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            acknowledged: self.acknowledged + other.acknowledged,
            unknown: self.unknown + other.unknown,
            lost: self.lost + other.lost,
            doubled: self.doubled + other.doubled,
            first_good: self.first_good.max(other.first_good),
            rejoin: self.rejoin.max(other.rejoin),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, unknown, lost, doubled, first_good, rejoin } = self;
        write!(
            out,
            "{acknowledged:>6} acknowledged {unknown:>4} unknown {lost:>3} lost {doubled:>3} doubled; first good \
             response {:>5} ms after the kill, rejoined in {:>5} ms",
            first_good.as_millis(),
            rejoin.as_millis()
        )
    }
}
