//! The names of the core's deliberate bugs, as command lines and tables have them.

use sessile_core::Plant;

/// Every planted bug and its name on the command line.
pub const BUGS: [(&str, Plant); 37] = [
    ("writer-is-name", Plant::WriterIsName),
    ("timetimetimestamp-at-set", Plant::TimestampAtSet),
    ("counter-from-live-fields", Plant::CounterFromLiveFields),
    ("end-compared-by-timestamp", Plant::EndComparedByTimestamp),
    ("ack-incomplete", Plant::AckIncomplete),
    ("transfer-without-ends", Plant::TransferWithoutEnds),
    ("joiner-not-awaited", Plant::JoinerNotAwaited),
    ("backlog-forgotten", Plant::BacklogForgotten),
    ("no-lease", Plant::NoLease),
    ("end-asynchronous", Plant::EndAsynchronous),
    ("gap-overlooked", Plant::GapOverlooked),
    ("refusal-unreported", Plant::RefusalUnreported),
    ("ack-out-of-order", Plant::AckOutOfOrder),
    ("merged-by-arrival", Plant::MergedByArrival),
    ("copy-timestamped-anew", Plant::CopyTimestampedAnew),
    ("removals-not-copied", Plant::RemovalsNotCopied),
    ("clock-not-raised", Plant::ClockNotRaised),
    ("old-secret-kept", Plant::OldSecretKept),
    ("superseded-sees-all", Plant::SupersededSeesAll),
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
    ("notified-twice", Plant::NotifiedTwice),
    ("first-copy-only", Plant::FirstCopyOnly),
    ("unknown-field-dropped", Plant::UnknownFieldDropped),
    ("unknown-change-taken", Plant::UnknownChangeTaken),
    ("none", Plant::None),
];

/// The bug of that name.
pub fn by_name(name: &str) -> Option<Plant> {
    BUGS.iter().find(|(known, _)| *known == name).map(|(_, plant)| *plant)
}
