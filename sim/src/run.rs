//! Runs one seed, or many independent seeds on a few threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::{panic, thread};

use sessile_core::Plant;

use crate::check::{Violation, judge};
use crate::harder::Profile;
use crate::history::SimHistory;
use crate::run_counters::RunCounters;
use crate::world::World;

/// The result of a seed.
#[derive(Default)]
pub struct SeedVerdict {
    /// The seed.
    pub seed: u64,
    /// The broken promises.
    pub violations: Vec<Violation>,
    /// What clients saw.
    pub history: SimHistory,
    /// What was exercised.
    pub counters: RunCounters,
    /// Equal for equal runs.
    pub fingerprint: u64,
    /// The trace in words, if asked for.
    pub lines: Vec<String>,
}

/// Runs one seed with the draws of a profile, and with one deliberate bug or none. A panic of the core is a
/// violation like any other.
pub fn run(seed: u64, profile: Profile, plant: Plant, wordy: bool) -> SeedVerdict {
    panic::catch_unwind(|| run_unguarded(seed, profile, plant, wordy)).unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("without words");
        let words = format!("panicked: {text}");
        let violation = Violation { checker: "panic", words, session: None, ops: Vec::new() };
        SeedVerdict { seed, violations: vec![violation], ..SeedVerdict::default() }
    })
}

fn run_unguarded(seed: u64, profile: Profile, plant: Plant, wordy: bool) -> SeedVerdict {
    let remains = World::new(seed, profile, plant, wordy).run();
    let violations = judge(&remains.history);
    let fingerprint = remains.trace.fingerprint();
    let lines = remains.trace.into_lines();
    SeedVerdict { seed, violations, history: remains.history, counters: remains.counters, fingerprint, lines }
}

/// Runs `count` seeds from `first` on `jobs` threads and gives each verdict to `judged`, in no order.
/// Stops early when `judged` says false.
pub fn run_many(
    first: u64,
    count: u64,
    jobs: usize,
    profile: Profile,
    plant: Plant,
    judged: impl Fn(SeedVerdict) -> bool + Sync,
) {
    let next = AtomicU64::new(first);
    let end = first.saturating_add(count);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return;
            }
            if !judged(run(seed, profile, plant, false)) {
                next.store(end, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(work);
        }
    });
}
