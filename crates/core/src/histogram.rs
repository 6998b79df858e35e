//! How often something took how long, in steps that are close enough together to read percentiles from.

use std::time::Duration;

/// Steps of each decade: every one is about a quarter longer than the one before.
const STEPS: [u64; 10] = [10, 13, 16, 20, 25, 32, 40, 50, 63, 79];
const DECADES: usize = 7;
const BOUNDS: usize = STEPS.len() * DECADES + 1;

static TABLE: [Duration; BOUNDS] = {
    let mut bounds = [Duration::ZERO; BOUNDS];
    let mut place = 0;
    while place < BOUNDS {
        // A step of 10 stands for one microsecond.
        let (step, decade) = (STEPS[place % STEPS.len()], (place / STEPS.len()) as u32);
        bounds[place] = Duration::from_nanos(100 * step * 10_u64.pow(decade));
        place += 1;
    }
    bounds
};

/// Counts of times by their length, from a microsecond to ten seconds. It takes about 600 bytes, however much
/// is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Times that do not exceed the bound of the same place, and exceed the one before it.
    counts: [u64; BOUNDS],
    /// Times beyond the last bound.
    beyond: u64,
    sum: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BOUNDS], beyond: 0, sum: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one time.
    pub fn record(&mut self, time: Duration) {
        self.sum = self.sum.saturating_add(time);
        let place = TABLE.partition_point(|bound| *bound < time);
        match self.counts.get_mut(place) {
            Some(count) => *count += 1,
            None => self.beyond += 1,
        }
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        self.beyond += other.beyond;
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.beyond
    }

    /// All of them together; exact.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// Each bound with the number of times that do not exceed it, shortest first. Longer ones are in
    /// [`count`](Self::count) only.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        TABLE.iter().copied().zip(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn bounds_rise_from_a_microsecond_to_ten_seconds() {
        let bounds: Vec<_> = Histogram::default().cumulative().map(|(bound, _)| bound).collect();
        assert_eq!((bounds[0], bounds[BOUNDS - 1]), (micros(1), Duration::from_secs(10)));
        assert!(bounds.windows(2).all(|pair| pair[0] < pair[1] && pair[1] <= pair[0].mul_f64(1.31)));
    }

    #[test]
    fn a_time_counts_below_every_bound_that_it_does_not_exceed() {
        let mut times = Histogram::default();
        [micros(0), micros(100), micros(101), Duration::from_secs(60)]
            .iter()
            .for_each(|time| times.record(*time));
        assert_eq!((times.count(), times.sum()), (4, micros(60_000_201)));
        let below = |at: Duration| times.cumulative().find(|(bound, _)| *bound == at).unwrap().1;
        let seen = [micros(1), micros(79), micros(100), micros(130), Duration::from_secs(10)].map(below);
        assert_eq!(seen, [1, 1, 2, 3, 3]);

        let mut twice = times.clone();
        twice.add(&times);
        assert_eq!((twice.count(), twice.sum()), (8, times.sum() * 2));
    }
}
