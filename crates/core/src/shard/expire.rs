//! Ending sessions that nobody uses, and forgetting ends that nothing can undo any more.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::Duration;

use crate::session::Session;
use crate::shard::Shard;
use crate::{Effects, Incarnation, Instant, SessionKey};

/// Every session is looked at once in this time.
const SCAN_PERIOD: Duration = Duration::from_secs(2);

/// Between two times that a shard gives up what is not needed any more.
pub(super) const TIDY_PERIOD: Duration = Duration::from_secs(2);

/// Expiries of one shard that members are asked about at once. When more are due, the scan waits for answers: questions
/// about a million would fill memory, and requests and heartbeats would wait behind them.
const EXPIRIES_ASKED_MAX: usize = 128;

/// Uses are announced at least every eighth of the idle time: so much may have died with a member.
pub(crate) const UNANNOUNCED_SHARE: u32 = 8;

impl Shard {
    /// What has to be done without any input: retries and expiry. Gives the members whose acknowledgements are late.
    pub(crate) fn tick(&mut self, now: Instant, effects: &mut Effects) -> BTreeSet<Incarnation> {
        self.streams.values_mut().for_each(|stream| stream.resume());
        self.give_up_early(now, effects);
        let late = self.resend_late(now, effects);
        self.repeat_asks(now, effects);
        self.retry_comparisons(now, effects);
        self.scan(now, effects);
        self.tidy(now);
        // What came to be backlog in passing, as the end of a session whose content was awaited, waits no longer than this.
        self.pump_all(now, effects);
        late
    }

    /// Idle for its time, or as old as it may get, by this node's clock.
    pub(super) fn is_due(&self, session: &Session, now: Instant) -> bool {
        session.may_be_due(now) && is_due(session, self.lost_member_at, now)
    }

    /// Looks at the next stretch of the sessions; at all of them within [`SCAN_PERIOD`], unless more are due than are
    /// asked about at once.
    fn scan(&mut self, now: Instant, effects: &mut Effects) {
        let alone = self.streams.is_empty();
        let room = if alone { usize::MAX } else { EXPIRIES_ASKED_MAX.saturating_sub(self.asked_expiries()) };
        let mut due = self.due_in_table(room, now);
        due.extend(self.due_stubs(room - due.len(), now));
        for key in due {
            self.ask_expiry(key, now, effects);
        }
        if self.scan >= self.table.slots() {
            self.scan = 0;
        }
    }

    /// Also while a scan waits for answers: the ends of one crowd shall not wait for those of the next.
    fn tidy(&mut self, now: Instant) {
        if now.since(self.tidied_at) >= TIDY_PERIOD {
            self.tidied_at = now;
            self.table.give_back();
            self.forget_ends(now);
        }
    }

    /// At most `room` of the next stretch; the next scan goes on behind the last one.
    fn due_in_table(&mut self, room: usize, now: Instant) -> Vec<SessionKey> {
        let slots = self.table.slots();
        let end = self.scan.saturating_add(self.stretch(slots)).min(slots);
        let mut due = Vec::new();
        while self.scan < end && due.len() < room {
            let slot = self.scan;
            self.scan += 1;
            let Some(session) = self.table.slot_mut(slot).filter(|session| session.may_be_due(now)) else {
                continue;
            };
            let key = session.key;
            if !is_due(session, self.lost_member_at, now) {
                session.set_alarm();
            } else if self.ends_here(key) {
                due.push(key);
            }
        }
        due
    }

    /// As of the table, of what is swapped out.
    fn due_stubs(&mut self, room: usize, now: Instant) -> Vec<SessionKey> {
        if room == 0 {
            return Vec::new();
        }
        let from = self.stub_scan.map_or(Bound::Unbounded, Bound::Excluded);
        let stretch = self.stretch(self.stubs.len() as u32) as usize;
        let (mut due, mut last) = (Vec::new(), None);
        for (key, stub) in self.stubs.range((from, Bound::Unbounded)).take(stretch) {
            if due.len() == room {
                break;
            }
            last = Some(*key);
            if self.is_due(&stub.skeleton, now) && self.ends_here(*key) {
                due.push(*key);
            }
        }
        self.stub_scan = last;
        due
    }

    /// How many of so many are looked at in one tick.
    fn stretch(&self, all: u32) -> u32 {
        let ticks = SCAN_PERIOD.as_millis() / self.settings.timing.tick().as_millis().max(1);
        all / u32::try_from(ticks).unwrap_or(1).max(1) + 1
    }

    /// The first by rendezvous among those who may (Thaler and Ravishankar, 1998).
    fn ends_here(&self, key: SessionKey) -> bool {
        self.expirers.iter().max_by_key(|incarnation| weight(**incarnation, key))
            == Some(&self.settings.incarnation)
    }

    /// Ends that were remembered long enough and that every member acknowledged.
    fn forget_ends(&mut self, now: Instant) {
        let Self { tombstones, streams, settings, .. } = self;
        let least = settings.timing.drop_time * 4;
        tombstones.retain(|key, end| {
            now.since(end.since) < planted!(end.keep.max(least) => kept_for(settings, end, least))
                || streams
                    .values()
                    .any(|stream| stream.needs_copy(*key) || stream.unconfirmed().any(|other| other == *key))
        });
    }
}

/// See [`Shard::is_due`]. What the member lost at `lost` last announced nobody may have been a use.
fn is_due(session: &Session, lost: Option<Instant>, now: Instant) -> bool {
    let max_inactive = session.max_inactive();
    let unannounced = lost.is_some_and(|lost| session.used_at() <= lost);
    let grace = if unannounced { max_inactive / UNANNOUNCED_SHARE } else { Duration::ZERO };
    session.idle(now) >= max_inactive.saturating_add(grace) || session.is_aged(now)
}

fn weight(incarnation: Incarnation, key: SessionKey) -> u64 {
    let mixed = (key.as_u128() as u64) ^ (u64::from(incarnation.0) << 17) ^ u64::from(incarnation.0);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    mixed ^ (mixed >> 29)
}
