//! Every planted bug is caught by the checkers.

use sessile_sim::harder::Profile;
use sessile_sim::plants::{CAUGHT_WITHIN, catch, shown_by_seeds};

#[test]
fn every_planted_bug_is_caught() {
    let missed: Vec<_> = shown_by_seeds()
        .filter(|(_, plant)| catch(*plant, Profile::held(), 0, CAUGHT_WITHIN, 2).is_none())
        .map(|(name, _)| name)
        .collect();
    assert!(missed.is_empty(), "not caught within {CAUGHT_WITHIN} seeds: {missed:?}");
}
