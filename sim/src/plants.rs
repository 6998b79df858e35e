//! Deliberate bugs: a checker that never saw one cannot be believed.

use std::sync::Mutex;

use sessile_core::Plant;

use crate::run::{Verdict, run, run_many};

/// Every planted bug and its name on the command line.
pub const PLANTS: [(&str, Plant); 35] = [
    ("writer-is-name", Plant::WriterIsName),
    ("stamp-at-set", Plant::StampAtSet),
    ("counter-from-live-fields", Plant::CounterFromLiveFields),
    ("end-compared-by-stamp", Plant::EndComparedByStamp),
    ("ack-incomplete", Plant::AckIncomplete),
    ("transfer-without-ends", Plant::TransferWithoutEnds),
    ("joiner-not-awaited", Plant::JoinerNotAwaited),
    ("debt-forgotten", Plant::DebtForgotten),
    ("no-lease", Plant::NoLease),
    ("end-asynchronous", Plant::EndAsynchronous),
    ("gap-overlooked", Plant::GapOverlooked),
    ("refusal-untold", Plant::RefusalUntold),
    ("ack-out-of-order", Plant::AckOutOfOrder),
    ("merged-by-arrival", Plant::MergedByArrival),
    ("copy-restamped", Plant::CopyRestamped),
    ("removals-not-copied", Plant::RemovalsNotCopied),
    ("top-not-raised", Plant::TopNotRaised),
    ("old-secret-kept", Plant::OldSecretKept),
    ("settles-on-first", Plant::SettlesOnFirst),
    ("unlinked-not-awaited", Plant::UnlinkedNotAwaited),
    ("reads-do-not-wait", Plant::ReadsDoNotWait),
    ("restore-overwrites", Plant::RestoreOverwrites),
    ("swap-out-in-use", Plant::SwapOutInUse),
    ("first-answer-wins", Plant::FirstAnswerWins),
    ("expires-alone", Plant::ExpiresAlone),
    ("foreign-clock", Plant::ForeignClock),
    ("neighbour-taken", Plant::NeighbourTaken),
    ("end-forgotten-early", Plant::EndForgottenEarly),
    ("marks-too-late", Plant::MarksTooLate),
    ("joiner-trusts-donor", Plant::JoinerTrustsDonor),
    ("own-pause-unnoticed", Plant::OwnPauseUnnoticed),
    ("told-twice", Plant::ToldTwice),
    ("unknown-field-dropped", Plant::UnknownFieldDropped),
    ("unknown-change-taken", Plant::UnknownChangeTaken),
    ("none", Plant::None),
];

/// Each planted bug must be caught within so many seeds.
pub const CAUGHT_WITHIN: u64 = 300;

/// The plant of that name.
pub fn by_name(name: &str) -> Option<Plant> {
    PLANTS.iter().find(|(known, _)| *known == name).map(|(_, plant)| *plant)
}

/// The lowest seed from `first` on, of at most `count`, in which a checker catches the bug. A seed that
/// breaks a promise without the bug as well has caught something else.
pub fn catch(plant: Plant, first: u64, count: u64, jobs: usize) -> Option<Verdict> {
    let caught: Mutex<Option<Verdict>> = Mutex::new(None);
    run_many(first, count, jobs, plant, |verdict| {
        if verdict.violations.is_empty() || !run(verdict.seed, Plant::None, false).violations.is_empty() {
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
