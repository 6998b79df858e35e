//! Ending sessions that nobody uses, and forgetting ends that nothing can undo any more.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::Duration;

use crate::session::Session;
use crate::shard::Shard;
use crate::{Boot, Effect, Instant, Plant, SessionKey};

/// Every session is looked at once in this time.
const SCAN_PERIOD: Duration = Duration::from_secs(2);

/// Uses are told at least every eighth of the idle time: so much may have died with a member.
pub(crate) const UNTOLD_SHARE: u32 = 8;

impl Shard {
    /// What has to be done without any input: retries and expiry. Gives the members whose acknowledgements are late.
    pub(crate) fn tick(&mut self, now: Instant, fx: &mut Vec<Effect>) -> BTreeSet<Boot> {
        let late = self.resend_late(now, fx);
        self.repeat_asks(now, fx);
        self.retry_rounds(now, fx);
        self.scan(now, fx);
        late
    }

    /// Idle for its time, or as old as it may get, by this node's clock.
    pub(super) fn is_due(&self, session: &Session, now: Instant) -> bool {
        session.may_be_due(now) && is_due(session, self.lost_member_at, now)
    }

    /// Looks at the next stretch of the table; the whole of it within [`SCAN_PERIOD`].
    fn scan(&mut self, now: Instant, fx: &mut Vec<Effect>) {
        let slots = self.table.slots();
        let end = self.scan.saturating_add(self.stretch(slots)).min(slots);
        let mut due = Vec::new();
        for slot in self.scan..end {
            let Some(session) = self.table.slot_mut(slot).filter(|session| session.may_be_due(now)) else {
                continue;
            };
            if is_due(session, self.lost_member_at, now) {
                due.push(session.key);
            } else {
                session.set_alarm();
            }
        }
        let from = self.stub_scan.map_or(Bound::Unbounded, Bound::Excluded);
        let stubs = self.stubs.range((from, Bound::Unbounded)).map(|(_, stub)| &stub.hollow);
        let stubs: Vec<&Session> = stubs.take(self.stretch(self.stubs.len() as u32) as usize).collect();
        let next_stub = stubs.last().map(|session| session.key);
        due.extend(stubs.iter().filter(|session| self.is_due(session, now)).map(|session| session.key));
        due.retain(|key| self.ends_here(*key));
        self.stub_scan = next_stub;
        for key in due {
            self.ask_expiry(key, now, fx);
        }
        self.scan = end;
        if end >= slots {
            self.scan = 0;
            self.table.give_back();
            self.forget_ends(now);
        }
    }

    /// How many of so many are looked at in one tick.
    fn stretch(&self, all: u32) -> u32 {
        let ticks = SCAN_PERIOD.as_millis() / self.settings.timing.tick().as_millis().max(1);
        all / u32::try_from(ticks).unwrap_or(1).max(1) + 1
    }

    /// The first by rendezvous among those who may (Thaler and Ravishankar, 1998).
    fn ends_here(&self, key: SessionKey) -> bool {
        self.expirers.iter().max_by_key(|boot| weight(**boot, key)) == Some(&self.settings.boot)
    }

    /// Ends that were remembered long enough and that every member acknowledged.
    fn forget_ends(&mut self, now: Instant) {
        let Self { tombstones, lanes, settings, .. } = self;
        let least = settings.timing.drop_time * 4;
        let hasty = settings.plant == Plant::EndForgottenEarly;
        tombstones.retain(|key, end| {
            now.since(end.since) < if hasty { least / 4 } else { end.keep.max(least) }
                || lanes.values().any(|lane| lane.owes(*key) || lane.unconfirmed().any(|other| other == *key))
        });
    }
}

/// See [`Shard::is_due`]. What the member lost at `lost` last told nobody may have been a use.
fn is_due(session: &Session, lost: Option<Instant>, now: Instant) -> bool {
    let max_inactive = session.max_inactive();
    let untold = lost.is_some_and(|lost| session.used_at() <= lost);
    let grace = if untold { max_inactive / UNTOLD_SHARE } else { Duration::ZERO };
    session.idle(now) >= max_inactive.saturating_add(grace) || session.is_aged(now)
}

fn weight(boot: Boot, key: SessionKey) -> u64 {
    let mixed = (key.as_u128() as u64) ^ (u64::from(boot.0) << 17) ^ u64::from(boot.0);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    mixed ^ (mixed >> 29)
}
