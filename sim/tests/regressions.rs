//! Seeds that once broke a promise.

use sessile_core::Plant;
use sessile_sim::run::run;

/// Each with the promise that it broke.
const ONCE_BROKEN: [(u64, &str); 0] = [];

#[test]
fn what_broke_once_stays_whole() {
    for (seed, promise) in ONCE_BROKEN {
        let verdict = run(seed, Plant::None, false);
        let told: Vec<_> =
            verdict.violations.iter().map(|violation| violation.tell(&verdict.history)).collect();
        assert!(told.is_empty(), "seed {seed} broke {promise} again: {}", told.join("\n"));
    }
}
