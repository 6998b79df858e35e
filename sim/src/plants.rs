//! Deliberate bugs: they show that the checkers can find bugs.

use std::sync::Mutex;

use sessile_core::Plant;
use sessile_planted::bugs::BUGS;

use crate::harder::Profile;
use crate::run::{SeedVerdict, run, run_many};

/// Each planted bug must be caught within this many seeds.
pub const CAUGHT_WITHIN: u64 = 500;

/// Mutations of one line each that seeds must show: all but the last passed 1,000 seeds before there were
/// draws.
pub const MUTATIONS: [(&str, Plant); 8] = [
    ("1001 birth marks never cover", Plant(1001)),
    ("1002 touches are never sent", Plant(1002)),
    ("1003 no grace after a loss", Plant(1003)),
    // Each of 1004, a removal that ignores this node's own last grant, and 1005, a grant for everybody, hides
    // the other.
    ("1006 grants for all, and ignored", Plant(1006)),
    // 1007, ready before others have it: no seed of 500 shows it since listings are judged a piece at a time.
    ("1008 closing is no use", Plant(1008)),
    ("1009 nobody speaks for the dead", Plant(1009)),
    ("1010 receipts are never degraded", Plant(1010)),
    ("1011 a lease from the last tick", Plant(1011)),
];

/// Bugs that need what no seed has yet: tiny bounds, a store that loses content, long requests. The tests of
/// the core that PROTOCOL.md names beside their rules fail with them.
const BY_CORE_TESTS: [Plant; 9] = [
    Plant::LOST_COUNTS_AS_ENDED,
    Plant::NEEDED_ENDS_FORGOTTEN,
    Plant::READY_BEFORE_THE_END,
    Plant::GROWTH_UNBOUNDED,
    Plant::BEHIND_SERVES,
    Plant::CLOSE_IS_NO_USE,
    Plant::USE_NOT_ACKNOWLEDGED,
    Plant::GOODBYE_NOT_COMPARED,
    Plant::DRAINING_IS_COMPLETE,
];

/// The bugs that seeds must show. A transfer without ends is excluded: a member that refuses a copy sends the
/// end to all members, which hides the bug in all but one of some thousand seeds;
/// `a_joiner_gets_the_ends_that_members_remember` in the core's tests catches it.
pub fn shown_by_seeds() -> impl Iterator<Item = (&'static str, Plant)> {
    let hidden = [Plant::NONE, Plant::TRANSFER_WITHOUT_ENDS];
    let is_hidden = move |plant: &Plant| hidden.contains(plant) || BY_CORE_TESTS.contains(plant);
    BUGS.into_iter().filter(move |(_, plant)| !is_hidden(plant)).chain(MUTATIONS)
}

/// The lowest seed from `first` on, of at most `count`, in which a checker catches the bug. A seed that also
/// breaks a promise without the bug does not count.
pub fn catch(plant: Plant, profile: Profile, first: u64, count: u64, jobs: usize) -> Option<SeedVerdict> {
    let caught: Mutex<Option<SeedVerdict>> = Mutex::new(None);
    run_many(first, count, jobs, profile, plant, |verdict| {
        if verdict.violations.is_empty()
            || !run(verdict.seed, profile, Plant::NONE, false).violations.is_empty()
        {
            return true;
        }
        let mut caught = caught.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if caught.as_ref().is_none_or(|earlier| earlier.seed > verdict.seed) {
            *caught = Some(verdict);
        }
        false
    });
    caught.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
