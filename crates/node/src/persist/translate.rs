//! Between what the core gives to be saved and what a store keeps.

use std::time::{Duration, SystemTime};

use sessile_core::{Saveable, SessionKey, Version};
use sessile_store::{AppName, Key, Lifetime, MalformedRecord, Record, RecordVersion};

/// What is kept of a session beyond twice its idle time before it counts as garbage: no downtime or wrong
/// clock should be longer.
const KEPT_LONGER: Duration = Duration::from_secs(7 * 86_400);

/// The record of a session, and its version if it lives.
pub(super) fn record(
    key: SessionKey,
    app: AppName,
    saveable: Saveable,
) -> Result<(Record, Option<Version>), MalformedRecord> {
    let now = SystemTime::now();
    let lifetime = |idle_left, longest: Duration| {
        Lifetime::new(now, idle_left, longest.saturating_mul(2).saturating_add(KEPT_LONGER))
    };
    match saveable {
        Saveable::Live { version, idle_left, max_inactive, content, .. } => {
            let stored = RecordVersion::new(version.0.to_vec())?;
            let record = Record::live(Key(key.0), stored, app, lifetime(idle_left, max_inactive), content)?;
            Ok((record, Some(version)))
        }
        Saveable::Ended { keep, .. } => {
            // An end is above every version: it needs no version.
            let record = Record::ended(
                Key(key.0),
                RecordVersion::new(Vec::new())?,
                app,
                lifetime(Duration::ZERO, keep),
            );
            Ok((record, None))
        }
    }
}

/// How long the end that a record tells of still has to be remembered; a wrong clock makes that longer at
/// most.
pub(super) fn remembered_for(record: &Record) -> Duration {
    let whole = record.lifetime.keep().saturating_sub(KEPT_LONGER) / 2;
    whole.saturating_sub(stored_for(record))
}

/// How long ago a record was saved, by a wall clock that may be wrong: never negative.
pub(super) fn stored_for(record: &Record) -> Duration {
    SystemTime::now().duration_since(record.lifetime.saved_at()).unwrap_or_default()
}
