//! Deliberate bugs: a checker that never saw one cannot be believed.

use std::sync::Mutex;

use sessile_core::Plant;
use sessile_planted::bugs::BUGS;

use crate::run::{Verdict, run, run_many};

/// Each planted bug must be caught within so many seeds.
pub const CAUGHT_WITHIN: u64 = 500;

/// The bugs that seeds must show. Not a transfer without ends: who refuses a copy tells the end to everybody, which hides
/// it but in one seed of some thousand; `a_joiner_gets_the_ends_that_members_remember` in the core's tests catches it.
pub fn shown_by_seeds() -> impl Iterator<Item = (&'static str, Plant)> {
    let hidden = [Plant::NONE, Plant::TRANSFER_WITHOUT_ENDS];
    BUGS.into_iter().filter(move |(_, plant)| !hidden.contains(plant))
}

/// The lowest seed from `first` on, of at most `count`, in which a checker catches the bug. A seed that
/// breaks a promise without the bug as well has caught something else.
pub fn catch(plant: Plant, first: u64, count: u64, jobs: usize) -> Option<Verdict> {
    let caught: Mutex<Option<Verdict>> = Mutex::new(None);
    run_many(first, count, jobs, plant, |verdict| {
        if verdict.violations.is_empty() || !run(verdict.seed, Plant::NONE, false).violations.is_empty() {
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
