//! The names of the core's deliberate bugs, as command lines and tables have them.

use sessile_core::Plant;

/// Every planted bug and its name on the command line.
pub const BUGS: [(&str, Plant); 46] = [
    ("writer-is-name", Plant::WRITER_IS_NAME),     // rule 3.3
    ("timestamp-at-set", Plant::TIMESTAMP_AT_SET), // rule 3.4
    ("counter-from-live-fields", Plant::COUNTER_FROM_LIVE_FIELDS), // rule 3.6
    ("end-compared-by-timestamp", Plant::END_COMPARED_BY_TIMESTAMP), // rule 7.1
    ("ack-incomplete", Plant::ACK_INCOMPLETE),     // rule 2.12
    ("transfer-without-ends", Plant::TRANSFER_WITHOUT_ENDS), // rules 6.3 and 6.7
    ("joiner-not-awaited", Plant::JOINER_NOT_AWAITED), // rules 5.1 and 5.2
    ("backlog-forgotten", Plant::BACKLOG_FORGOTTEN), // rule 6.4
    ("no-lease", Plant::NO_LEASE),                 // rules 4.3 and 4.4
    ("end-asynchronous", Plant::END_ASYNCHRONOUS), // rule 7.2
    ("gap-overlooked", Plant::GAP_OVERLOOKED),     // rules 1.3, 2.1 and 2.2
    ("refusal-unreported", Plant::REFUSAL_UNREPORTED), // rule 2.3
    ("ack-out-of-order", Plant::ACK_OUT_OF_ORDER), // rule 2.4
    ("merged-by-arrival", Plant::MERGED_BY_ARRIVAL), // rule 3.1
    ("copy-timestamped-anew", Plant::COPY_TIMESTAMPED_ANEW), // rule 3.2
    ("removals-not-copied", Plant::REMOVALS_NOT_COPIED), // rule 3.7
    ("clock-not-raised", Plant::CLOCK_NOT_RAISED), // rule 3.6
    ("old-secret-kept", Plant::OLD_SECRET_KEPT),   // rule 8.2
    ("settles-on-first", Plant::SETTLES_ON_FIRST), // rule 2.13
    ("unlinked-not-awaited", Plant::UNLINKED_NOT_AWAITED), // rule 2.13
    ("reads-do-not-wait", Plant::READS_DO_NOT_WAIT), // rule 2.15
    ("restore-overwrites", Plant::RESTORE_OVERWRITES), // rule 11.3
    ("swap-out-in-use", Plant::SWAP_OUT_IN_USE),   // rule 11.1
    ("first-answer-wins", Plant::FIRST_ANSWER_WINS), // rule 7.11
    ("expires-alone", Plant::EXPIRES_ALONE),       // rule 7.13
    ("foreign-clock", Plant::FOREIGN_CLOCK),       // rule 7.20
    ("neighbour-taken", Plant::NEIGHBOUR_TAKEN),   // rule 2.12
    ("end-forgotten-early", Plant::END_FORGOTTEN_EARLY), // rules 7.6 and 7.8
    ("marks-too-late", Plant::MARKS_TOO_LATE),     // rule 7.9
    ("joiner-trusts-donor", Plant::JOINER_TRUSTS_DONOR), // rule 5.6
    ("own-pause-unnoticed", Plant::OWN_PAUSE_UNNOTICED), // rule 4.15
    ("notified-twice", Plant::NOTIFIED_TWICE),     // rule 7.22
    ("first-copy-only", Plant::FIRST_COPY_ONLY),   // rule 2.7
    ("unknown-field-dropped", Plant::UNKNOWN_FIELD_DROPPED), // rule 12.3
    ("unknown-change-taken", Plant::UNKNOWN_CHANGE_TAKEN), // rule 12.2
    ("superseded-sees-all", Plant::SUPERSEDED_SEES_ALL), // rule 8.3
    ("lost-counts-as-ended", Plant::LOST_COUNTS_AS_ENDED), // rule 7.24
    ("needed-ends-forgotten", Plant::NEEDED_ENDS_FORGOTTEN), // rule 7.6
    ("ready-before-the-end", Plant::READY_BEFORE_THE_END), // rule 5.14
    ("growth-unbounded", Plant::GROWTH_UNBOUNDED), // rule 2.20
    ("behind-serves", Plant::BEHIND_SERVES),       // rule 7.26
    ("close-is-no-use", Plant::CLOSE_IS_NO_USE),   // rule 7.12
    ("use-not-acknowledged", Plant::USE_NOT_ACKNOWLEDGED), // rule 7.12
    ("goodbye-not-compared", Plant::GOODBYE_NOT_COMPARED), // rule 6.4
    ("draining-is-complete", Plant::DRAINING_IS_COMPLETE), // rule 5.15
    ("none", Plant::NONE),
];

/// The bug of that name, or the mutation of that number.
pub fn by_name(name: &str) -> Option<Plant> {
    let bug = BUGS.iter().find(|(known, _)| *known == name).map(|(_, plant)| *plant);
    bug.or_else(|| name.parse().ok().map(Plant))
}
