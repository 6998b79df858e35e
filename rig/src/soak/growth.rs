//! Judges whether processes that ran all the time have grown.
//!
//! The usage of a process in a round is the mean of its quiet samples. The first round is a warm-up; of the
//! other rounds, the mean of the first quarter is compared with the mean of the last.

use std::collections::BTreeMap;
use std::fmt;

use super::process_sampler::{ProcessUsage, Sample};

/// Allowed growth from the first quarter to the last.
const BOUNDS: ProcessUsage = ProcessUsage { resident: 4 << 20, descriptors: 8, threads: 4 };
/// Warm-up rounds.
const WARM_UP: usize = 1;

/// Usage of all processes.
pub(super) struct GrowthTable(Vec<GrowthRow>);

struct GrowthRow {
    process: String,
    life: u32,
    rounds: usize,
    /// Mean of the first quarter of the rounds, of the last quarter, and the maximum.
    first: ProcessUsage,
    last: ProcessUsage,
    most: ProcessUsage,
    /// Whether it ran in every round.
    is_judged: bool,
}

impl GrowthTable {
    pub(super) fn of(samples: &[Sample]) -> Self {
        let rounds = samples.iter().map(|sample| sample.round).max().unwrap_or(0) as usize;
        let mut lives = BTreeMap::<_, Vec<&Sample>>::new();
        for sample in samples {
            lives.entry((&sample.process, sample.life)).or_default().push(sample);
        }
        Self(lives.values().filter_map(|samples| GrowthRow::of(samples, rounds)).collect())
    }

    /// Descriptions of grown processes.
    pub(super) fn broken(&self) -> Vec<String> {
        let judged: Vec<_> = self.0.iter().filter(|line| line.is_judged).collect();
        match judged.is_empty() {
            true => vec!["no process ran all the time, so nothing could be compared".to_owned()],
            false => judged.into_iter().flat_map(GrowthRow::broken).collect(),
        }
    }
}

impl GrowthRow {
    /// Usage of one process; `None` without quiet samples.
    fn of(samples: &[&Sample], rounds: usize) -> Option<Self> {
        let mut quiet = BTreeMap::<_, Vec<ProcessUsage>>::new();
        for sample in samples.iter().filter(|sample| sample.quiet) {
            quiet.entry(sample.round).or_default().push(sample.usage);
        }
        let quiet: Vec<_> = quiet.values().map(|samples| mean(samples)).collect();
        let is_judged = quiet.len() == rounds && rounds > WARM_UP + 1;
        let counted = if is_judged { &quiet[WARM_UP..] } else { &quiet[..] };
        let quarter = counted.len().div_ceil(4);
        let seen = samples.first()?;
        let most =
            samples.iter().map(|sample| sample.usage).reduce(|one, other| each(one, other, u64::max))?;
        let (first, last) = (counted.get(..quarter)?, counted.get(counted.len() - quarter..)?);
        (!counted.is_empty()).then(|| Self {
            process: seen.process.clone(),
            life: seen.life,
            rounds: quiet.len(),
            first: mean(first),
            last: mean(last),
            most,
            is_judged,
        })
    }

    fn broken(&self) -> Vec<String> {
        let grown = each(self.last, self.first, u64::saturating_sub);
        let kinds = [
            (grown.resident >> 10, BOUNDS.resident >> 10, "KiB of memory"),
            (grown.descriptors, BOUNDS.descriptors, "descriptors"),
            (grown.threads, BOUNDS.threads, "threads"),
        ];
        let beyond = kinds.into_iter().filter(|(grown, bound, _)| grown > bound);
        let tell =
            |(grown, bound, kind)| format!("{} grew by {grown} {kind}, more than {bound}", self.process);
        beyond.map(tell).collect()
    }

    fn word(&self) -> &'static str {
        match (self.is_judged, self.broken().is_empty()) {
            (false, _) => "started again",
            (true, true) => "flat",
            (true, false) => "GROWN",
        }
    }
}

impl fmt::Display for GrowthTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<10} {:>4} {:>6}  {:^22}  {:^20}  {:^14}",
            "process", "life", "rounds", "resident KiB", "descriptors", "threads"
        )?;
        writeln!(
            f,
            "{:<22}  {:>6} {:>7} {:>7}  {:>6} {:>6} {:>6}  {:>4} {:>4} {:>4}",
            "", "first", "last", "max", "first", "last", "max", "1st", "last", "max"
        )?;
        for line in &self.0 {
            let GrowthRow { process, life, rounds, first, last, most, .. } = line;
            let (from, to, top) = (first.resident >> 10, last.resident >> 10, most.resident >> 10);
            write!(f, "{process:<10} {life:>4} {rounds:>6}  {from:>6} {to:>7} {top:>7}  ")?;
            write!(f, "{:>6} {:>6} {:>6}  ", first.descriptors, last.descriptors, most.descriptors)?;
            writeln!(f, "{:>4} {:>4} {:>4}  {}", first.threads, last.threads, most.threads, line.word())?;
        }
        Ok(())
    }
}

fn mean(samples: &[ProcessUsage]) -> ProcessUsage {
    let count = samples.len().max(1) as u64;
    let sum =
        samples.iter().fold(ProcessUsage::default(), |sum, one| each(sum, *one, |one, other| one + other));
    each(sum, sum, |sum, _| sum / count)
}

fn each(one: ProcessUsage, other: ProcessUsage, of: impl Fn(u64, u64) -> u64) -> ProcessUsage {
    ProcessUsage {
        resident: of(one.resident, other.resident),
        descriptors: of(one.descriptors, other.descriptors),
        threads: of(one.threads, other.threads),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process with two quiet samples in each round and much higher usage in between.
    fn samples(
        process: &str,
        life: u32,
        rounds: std::ops::Range<u64>,
        usage: impl Fn(u64) -> ProcessUsage,
    ) -> Vec<Sample> {
        let sample = |round, quiet, usage| Sample { process: process.to_owned(), life, round, quiet, usage };
        let busy = ProcessUsage { resident: 1 << 30, descriptors: 900, threads: 90 };
        let of_round = |round| {
            [(false, busy), (true, usage(round)), (true, usage(round))]
                .map(|(quiet, usage)| sample(round, quiet, usage))
        };
        rounds.flat_map(of_round).collect()
    }

    fn held(resident: u64, descriptors: u64, threads: u64) -> ProcessUsage {
        ProcessUsage { resident, descriptors, threads }
    }

    #[test]
    fn a_process_that_only_warms_up_is_flat() {
        // The first round and one in the middle differ from the others.
        let table = GrowthTable::of(&samples("tc01", 1, 1..41, |round| match round {
            1 => held(4 << 20, 5, 2),
            20 => held(400 << 20, 500, 50),
            _ => held((30 << 20) + ((round % 3) << 20), 20 + round % 5, 6),
        }));
        assert_eq!(table.broken(), Vec::<String>::new(), "{table}");
        assert!(table.to_string().contains("flat"), "{table}");
    }

    #[test]
    fn a_growing_process_is_found() {
        let memory = GrowthTable::of(&samples("tc01", 1, 1..41, |round| {
            held((30 << 20) + round * (300 << 10), 20, 6)
        }));
        assert_eq!(memory.broken(), ["tc01 grew by 8700 KiB of memory, more than 4096"]);
        let open = GrowthTable::of(&samples("tc01", 1, 1..41, |round| held(30 << 20, 20 + round / 3, 6)));
        assert!(matches!(&open.broken()[..], [one] if one.contains("descriptors")), "{open}");
        let threads = GrowthTable::of(&samples("balancer", 1, 1..5, |round| held(30 << 20, 20, 6 * round)));
        assert!(matches!(&threads.broken()[..], [one] if one.contains("threads")), "{threads}");
    }

    #[test]
    fn a_restarted_process_is_shown_but_not_judged() {
        let mut all = samples("tc03", 1, 1..6, |_| held(20 << 20, 20, 6));
        all.extend(samples("tc03", 2, 6..11, |round| held(round * (20 << 20), 20, 6)));
        let nobody = GrowthTable::of(&all);
        assert!(nobody.broken()[0].contains("no process ran all the time"), "{nobody}");
        all.extend(samples("tc01", 1, 1..11, |_| held(20 << 20, 20, 6)));
        let table = GrowthTable::of(&all);
        assert_eq!(table.broken(), Vec::<String>::new(), "{table}");
        assert_eq!(table.to_string().matches("started again").count(), 2, "{table}");
    }
}
