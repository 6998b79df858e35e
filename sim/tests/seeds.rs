//! Seeds without a planted bug: no promise is broken, and a seed always gives the same run.

use sessile_core::Plant;
use sessile_sim::harder::Profile;
use sessile_sim::run::run;

/// Seeds that the tests run; the program runs thousands.
const SEEDS: std::ops::Range<u64> = 0..30;

#[test]
fn no_promise_is_broken() {
    for seed in SEEDS {
        let verdict = run(seed, Profile::held(), Plant::NONE, false);
        let told: Vec<_> =
            verdict.violations.iter().map(|violation| violation.describe(&verdict.history)).collect();
        assert!(told.is_empty(), "seed {seed}: {}", told.join("\n"));
    }
}

#[test]
fn every_seed_has_enough_operations_and_faults() {
    for seed in SEEDS {
        let verdict = run(seed, Profile::held(), Plant::NONE, false);
        assert!(verdict.counters.operations >= 200, "seed {seed}: {}", verdict.counters);
        assert!(verdict.counters.faults >= 3, "seed {seed}: {}", verdict.counters);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..5 {
        let one = run(seed, Profile::held(), Plant::NONE, true);
        let other = run(seed, Profile::held(), Plant::NONE, true);
        assert_eq!(one.fingerprint, other.fingerprint, "seed {seed}");
        assert_eq!(one.lines, other.lines, "seed {seed}");
        assert_ne!(one.fingerprint, run(seed + 100, Profile::held(), Plant::NONE, false).fingerprint);
    }
}
