//! The names of the core's deliberate bugs, as command lines and tables have them.

use sessile_core::Plant;

/// Every planted bug and its name on the command line.
pub const BUGS: [(&str, Plant); 36] = [
    ("writer-is-name", Plant::WRITER_IS_NAME),
    ("timestamp-at-set", Plant::TIMESTAMP_AT_SET),
    ("counter-from-live-fields", Plant::COUNTER_FROM_LIVE_FIELDS),
    ("end-compared-by-timestamp", Plant::END_COMPARED_BY_TIMESTAMP),
    ("ack-incomplete", Plant::ACK_INCOMPLETE),
    ("transfer-without-ends", Plant::TRANSFER_WITHOUT_ENDS),
    ("joiner-not-awaited", Plant::JOINER_NOT_AWAITED),
    ("backlog-forgotten", Plant::BACKLOG_FORGOTTEN),
    ("no-lease", Plant::NO_LEASE),
    ("end-asynchronous", Plant::END_ASYNCHRONOUS),
    ("gap-overlooked", Plant::GAP_OVERLOOKED),
    ("refusal-unreported", Plant::REFUSAL_UNREPORTED),
    ("ack-out-of-order", Plant::ACK_OUT_OF_ORDER),
    ("merged-by-arrival", Plant::MERGED_BY_ARRIVAL),
    ("copy-timestamped-anew", Plant::COPY_TIMESTAMPED_ANEW),
    ("removals-not-copied", Plant::REMOVALS_NOT_COPIED),
    ("clock-not-raised", Plant::CLOCK_NOT_RAISED),
    ("old-secret-kept", Plant::OLD_SECRET_KEPT),
    ("settles-on-first", Plant::SETTLES_ON_FIRST),
    ("unlinked-not-awaited", Plant::UNLINKED_NOT_AWAITED),
    ("reads-do-not-wait", Plant::READS_DO_NOT_WAIT),
    ("restore-overwrites", Plant::RESTORE_OVERWRITES),
    ("swap-out-in-use", Plant::SWAP_OUT_IN_USE),
    ("first-answer-wins", Plant::FIRST_ANSWER_WINS),
    ("expires-alone", Plant::EXPIRES_ALONE),
    ("foreign-clock", Plant::FOREIGN_CLOCK),
    ("neighbour-taken", Plant::NEIGHBOUR_TAKEN),
    ("end-forgotten-early", Plant::END_FORGOTTEN_EARLY),
    ("marks-too-late", Plant::MARKS_TOO_LATE),
    ("joiner-trusts-donor", Plant::JOINER_TRUSTS_DONOR),
    ("own-pause-unnoticed", Plant::OWN_PAUSE_UNNOTICED),
    ("notified-twice", Plant::NOTIFIED_TWICE),
    ("first-copy-only", Plant::FIRST_COPY_ONLY),
    ("unknown-field-dropped", Plant::UNKNOWN_FIELD_DROPPED),
    ("unknown-change-taken", Plant::UNKNOWN_CHANGE_TAKEN),
    ("none", Plant::NONE),
];

/// The bug of that name, or the mutation of that number.
pub fn by_name(name: &str) -> Option<Plant> {
    let bug = BUGS.iter().find(|(known, _)| *known == name).map(|(_, plant)| *plant);
    bug.or_else(|| name.parse().ok().map(Plant))
}
