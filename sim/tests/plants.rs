//! Every planted bug is caught: the checkers see what they are there for.

use sessile_core::Plant;
use sessile_planted::bugs::BUGS;
use sessile_sim::plants::{CAUGHT_WITHIN, catch};

#[test]
fn every_planted_bug_is_caught() {
    let missed: Vec<_> = BUGS
        .iter()
        .filter(|(_, plant)| *plant != Plant::None)
        .filter(|(_, plant)| catch(*plant, 0, CAUGHT_WITHIN, 2).is_none())
        .map(|(name, _)| *name)
        .collect();
    assert!(missed.is_empty(), "not caught within {CAUGHT_WITHIN} seeds: {missed:?}");
}
