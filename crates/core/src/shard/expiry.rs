//! When sessions of one shard are due, which member may end them, and the scan that finds them (rules 7.13,
//! 7.19, 7.21).
//!
//! Every session is looked at once in [`SCAN_PERIOD`], unless more are due than members are asked about at
//! once. Must not know how a session is ended.

use std::time::Duration;

use crate::key::SHARDS;
use crate::session::{Session, UNANNOUNCED_SHARE};
use crate::shard::stubs::Stubs;
use crate::table::Table;
use crate::{Incarnation, Instant, SessionKey, Settings};

/// Every session is looked at once in this time.
const SCAN_PERIOD: Duration = Duration::from_secs(2);

/// Between two times that a shard gives up what is not needed any more.
const TIDY_PERIOD: Duration = Duration::from_secs(2);

/// The expiries of one shard.
#[derive(Debug)]
pub(crate) struct Expiry {
    me: Incarnation,
    /// Members that may end idle sessions, this node included if it may.
    expirers: Vec<Incarnation>,
    /// When a member was lost. Uses that it had not announced died with it.
    member_lost_at: Option<Instant>,
    /// In so many ticks a scan looks at everything.
    ticks: u32,
    /// How far the scan has come in the table, and among the stubs.
    next_slot: u32,
    last_stub: Option<SessionKey>,
    tidied_at: Instant,
    /// Sessions that the scan found open for an eighth of their idle time without a use that the others know:
    /// at most those that one scan looks at.
    in_use: Vec<SessionKey>,
}

impl Expiry {
    pub(crate) fn new(shard: u8, settings: &Settings, now: Instant) -> Self {
        let ticks = SCAN_PERIOD.as_millis() / settings.timing.tick().as_millis().max(1);
        Self {
            me: settings.incarnation,
            expirers: Vec::new(),
            member_lost_at: None,
            ticks: u32::try_from(ticks).unwrap_or(1).max(1),
            next_slot: 0,
            last_stub: None,
            // Shards take turns.
            tidied_at: now.plus(TIDY_PERIOD * u32::from(shard) / SHARDS as u32),
            in_use: Vec::new(),
        }
    }

    pub(crate) fn set_expirers(&mut self, expirers: &[Incarnation]) {
        self.expirers = expirers.to_vec();
    }

    /// A member was lost. Sessions that were not used since get one eighth of their idle time more (rule
    /// 7.19).
    pub(crate) fn member_lost(&mut self, now: Instant) {
        self.member_lost_at = Some(now);
    }

    /// The session is idle for its time, or as old as it may get, by this node's clock.
    pub(crate) fn is_due(&self, session: &Session, now: Instant) -> bool {
        session.may_be_due(now) && is_due(session, self.member_lost_at, now)
    }

    /// The next sessions that are due and that this node may end, at most `most`. The next scan goes on
    /// behind them.
    pub(crate) fn scan(
        &mut self,
        table: &mut Table,
        stubs: &Stubs,
        most: usize,
        now: Instant,
    ) -> Vec<SessionKey> {
        let mut due = self.scan_table(table, most, now);
        due.extend(self.scan_stubs(stubs, most - due.len(), now));
        due
    }

    /// Sessions that requests have had open for so long that the others have to be told (rule 7.12).
    pub(crate) fn take_in_use(&mut self) -> Vec<SessionKey> {
        std::mem::take(&mut self.in_use)
    }

    /// Whether what is not needed any more is to be given up now. Also while a scan waits for answers: the
    /// ends of many sessions must not wait for those of the next.
    pub(crate) fn is_tidy_due(&mut self, now: Instant) -> bool {
        let is_due = now.since(self.tidied_at) >= TIDY_PERIOD;
        if is_due {
            self.tidied_at = now;
        }
        is_due
    }

    fn scan_table(&mut self, table: &mut Table, most: usize, now: Instant) -> Vec<SessionKey> {
        let slots = table.slots();
        let end = self.next_slot.saturating_add(self.stretch(slots)).min(slots);
        let mut due = Vec::new();
        while self.next_slot < end && due.len() < most {
            let slot = self.next_slot;
            self.next_slot += 1;
            let Some(session) = table.slot_mut(slot) else { continue };
            if session.open > 0 && session.is_use_due(now) {
                self.in_use.push(session.key);
            }
            if !session.may_be_due(now) {
                continue;
            }
            if !is_due(session, self.member_lost_at, now) {
                session.set_alarm();
            } else if self.may_end(session.key) {
                due.push(session.key);
            }
        }
        if self.next_slot >= slots {
            self.next_slot = 0;
        }
        due
    }

    fn scan_stubs(&mut self, stubs: &Stubs, most: usize, now: Instant) -> Vec<SessionKey> {
        if most == 0 {
            return Vec::new();
        }
        let stretch = self.stretch(stubs.len() as u32) as usize;
        let (mut due, mut last) = (Vec::new(), None);
        for (key, stub) in stubs.after(self.last_stub).take(stretch) {
            if due.len() == most {
                break;
            }
            last = Some(key);
            if self.is_due(stub.session(), now) && self.may_end(key) {
                due.push(key);
            }
        }
        self.last_stub = last;
        due
    }

    /// How many of all sessions one tick looks at.
    fn stretch(&self, all: u32) -> u32 {
        all / self.ticks + 1
    }

    /// One member ends a session: the first by rendezvous among those who may (Thaler and Ravishankar, 1998).
    fn may_end(&self, key: SessionKey) -> bool {
        self.expirers.iter().max_by_key(|member| weight(**member, key)) == Some(&self.me)
    }
}

/// See [`Expiry::is_due`]. The last use that the member lost at `lost_at` announced may not have been its
/// last one.
fn is_due(session: &Session, lost_at: Option<Instant>, now: Instant) -> bool {
    let max_inactive = session.max_inactive();
    let unannounced = lost_at.is_some_and(|lost_at| session.used_at() <= lost_at);
    let grace = if unannounced { max_inactive / UNANNOUNCED_SHARE } else { Duration::ZERO };
    session.idle(now) >= max_inactive.saturating_add(grace) || session.is_aged(now)
}

fn weight(member: Incarnation, key: SessionKey) -> u64 {
    let mixed = (key.as_u128() as u64) ^ (u64::from(member.0) << 17) ^ u64::from(member.0);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::Birth;
    use crate::session::duration_value;
    use crate::{AppId, Timestamp};

    const IDLE: Duration = Duration::from_secs(80);

    fn at(seconds: u64) -> Instant {
        Instant::after_origin(Duration::from_secs(seconds))
    }

    fn key(number: u32) -> SessionKey {
        SessionKey(u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_le_bytes())
    }

    fn session(number: u32) -> Session {
        let mut session = Session::new(key(number), AppId(1), Birth::default(), at(0));
        let timestamp = Timestamp::new(1, Incarnation(1));
        session.fields.merge(crate::fields::MAX_INACTIVE, timestamp, Some(&duration_value(IDLE)));
        session.set_alarm();
        session
    }

    fn expiry(me: u32) -> Expiry {
        let mut expiry = Expiry::new(0, &Settings::new(Incarnation(me), "tc01"), at(0));
        expiry.set_expirers(&[1, 2, 3].map(Incarnation));
        expiry
    }

    #[test]
    fn one_member_ends_each_session_and_a_whole_scan_sees_all() {
        let (mut table, stubs) = (Table::default(), Stubs::default());
        (0..100).for_each(|number| table.insert(session(number)));
        let mut ended = Vec::new();
        for me in 1..=3 {
            let mut expiry = expiry(me);
            let due = (0..expiry.ticks + 2).flat_map(|_| expiry.scan(&mut table, &stubs, 9, at(80)));
            let due: std::collections::BTreeSet<_> = due.collect();
            assert!(due.len() > 10, "each has its share");
            ended.extend(due);
        }
        ended.sort_unstable();
        assert_eq!((ended.len(), ended.windows(2).all(|pair| pair[0] != pair[1])), (100, true));
        assert!(expiry(4).scan(&mut table, &stubs, 1_000, at(80)).is_empty(), "it may end none");
    }

    #[test]
    fn a_scan_gives_no_more_than_it_is_asked_for_and_goes_on_behind() {
        let (mut table, mut stubs) = (Table::default(), Stubs::default());
        table.insert(session(1));
        stubs.insert(session(2));
        let mut expiry = expiry(1);
        expiry.set_expirers(&[Incarnation(1)]);
        assert!(expiry.scan(&mut table, &stubs, 0, at(80)).is_empty());
        assert_eq!(expiry.scan(&mut table, &stubs, 1, at(80)), [key(1)]);
        assert_eq!(expiry.scan(&mut table, &stubs, 9, at(80)), [key(1), key(2)]);
    }

    #[test]
    fn after_a_loss_what_was_not_used_since_gets_an_eighth_more() {
        let mut expiry = expiry(1);
        let mut session = session(1);
        assert!(!expiry.is_due(&session, at(79)) && expiry.is_due(&session, at(80)));
        expiry.member_lost(at(50));
        assert!(!expiry.is_due(&session, at(89)) && expiry.is_due(&session, at(90)));
        session.use_now(1, at(51));
        assert!(!expiry.is_due(&session, at(130)) && expiry.is_due(&session, at(131)), "used since");
    }

    #[test]
    fn shards_tidy_in_turns() {
        let settings = Settings::new(Incarnation(1), "tc01");
        let [mut first, mut last] = [0, SHARDS as u8 - 1].map(|shard| Expiry::new(shard, &settings, at(0)));
        assert!(first.is_tidy_due(at(2)) && !first.is_tidy_due(at(3)) && first.is_tidy_due(at(4)));
        assert!(!last.is_tidy_due(at(2)) && last.is_tidy_due(at(4)));
    }
}
