//! The names of the core's deliberate bugs, as command lines and tables have them.

use sessile_core::Plant;

/// Every planted bug and its name on the command line.
pub const BUGS: [(&str, Plant); 36] = [
    ("writer-is-name", Plant::WriterIsName),                    // rule 3.3
    ("timestamp-at-set", Plant::TimestampAtSet),                // rule 3.4
    ("counter-from-live-fields", Plant::CounterFromLiveFields), // rule 3.6
    ("end-compared-by-timestamp", Plant::EndComparedByTimestamp), // rule 7.1
    ("ack-incomplete", Plant::AckIncomplete),                   // rule 2.12
    ("transfer-without-ends", Plant::TransferWithoutEnds),      // rules 6.3 and 6.7
    ("joiner-not-awaited", Plant::JoinerNotAwaited),            // rules 5.1 and 5.2
    ("backlog-forgotten", Plant::BacklogForgotten),             // rule 6.4
    ("no-lease", Plant::NoLease),                               // rules 4.3 and 4.4
    ("end-asynchronous", Plant::EndAsynchronous),               // rule 7.2
    ("gap-overlooked", Plant::GapOverlooked),                   // rules 1.3, 2.1 and 2.2
    ("refusal-unreported", Plant::RefusalUnreported),           // rule 2.3
    ("ack-out-of-order", Plant::AckOutOfOrder),                 // rule 2.4
    ("merged-by-arrival", Plant::MergedByArrival),              // rule 3.1
    ("copy-timestamped-anew", Plant::CopyTimestampedAnew),      // rule 3.2
    ("removals-not-copied", Plant::RemovalsNotCopied),          // rule 3.7
    ("clock-not-raised", Plant::ClockNotRaised),                // rule 3.6
    ("old-secret-kept", Plant::OldSecretKept),                  // rule 8.2
    ("settles-on-first", Plant::SettlesOnFirst),                // rule 2.13
    ("unlinked-not-awaited", Plant::UnlinkedNotAwaited),        // rule 2.13
    ("reads-do-not-wait", Plant::ReadsDoNotWait),               // rule 2.15
    ("restore-overwrites", Plant::RestoreOverwrites),           // rule 11.3
    ("swap-out-in-use", Plant::SwapOutInUse),                   // rule 11.1
    ("first-answer-wins", Plant::FirstAnswerWins),              // rule 7.11
    ("expires-alone", Plant::ExpiresAlone),                     // rule 7.13
    ("foreign-clock", Plant::ForeignClock),                     // rule 7.20
    ("neighbour-taken", Plant::NeighbourTaken),                 // rule 2.12
    ("end-forgotten-early", Plant::EndForgottenEarly),          // rules 7.6 and 7.8
    ("marks-too-late", Plant::MarksTooLate),                    // rule 7.9
    ("joiner-trusts-donor", Plant::JoinerTrustsDonor),          // rule 5.6
    ("own-pause-unnoticed", Plant::OwnPauseUnnoticed),          // rule 4.15
    ("notified-twice", Plant::NotifiedTwice),                   // rule 7.22
    ("first-copy-only", Plant::FirstCopyOnly),                  // rule 2.7
    ("unknown-field-dropped", Plant::UnknownFieldDropped),      // rule 12.3
    ("unknown-change-taken", Plant::UnknownChangeTaken),        // rule 12.2
    ("none", Plant::None),
];

/// The bug of that name.
pub fn by_name(name: &str) -> Option<Plant> {
    BUGS.iter().find(|(known, _)| *known == name).map(|(_, plant)| *plant)
}
