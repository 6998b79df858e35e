//! The ends that one shard remembers, so that no copy brings an ended session back (rules 7.1 and 7.6).
//!
//! There is one way in, [`Tombstones::record`], which merges ends of one session and keeps the bound; and two ways out,
//! a use that an expiry did not know, and time. Must not know which members need an end.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use crate::tombstone::Tombstone;
use crate::{AppId, Incarnation, Instant, SessionKey};

/// Ends remembered in one shard. Above it the oldest are forgotten, and birth marks serve in their place (rule 7.8).
const TOMBSTONES_MAX: usize = 1 << 16;

/// Ends that are forgotten at once when there are too many: each ordering of all of them pays for as many new ones.
const FORGOTTEN_AT_ONCE: usize = TOMBSTONES_MAX >> 4;

/// The tombstones of one shard, by session.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    ends: BTreeMap<SessionKey, Tombstone>,
}

impl Tombstones {
    pub(crate) fn get(&self, key: SessionKey) -> Option<&Tombstone> {
        self.ends.get(&key)
    }

    pub(crate) fn contains(&self, key: SessionKey) -> bool {
        self.ends.contains_key(&key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Remembers an end, merged with what was remembered of this session (rule 7.18), and gives the result.
    ///
    /// `ended_copy` names the application of the copy that ended here and the member that announced the end, if both
    /// exist: this node notifies listeners in place of that member if it dies (rule 7.23).
    pub(crate) fn record(
        &mut self,
        key: SessionKey,
        end: Tombstone,
        ended_copy: Option<(AppId, Incarnation)>,
    ) -> Tombstone {
        let known = self.ends.get(&key).copied();
        let mut end = known.map_or(end, |known| known.merge(end));
        if let Some((app, announced_by)) = ended_copy {
            (end.app, end.announced_by) = (app, Some(announced_by));
        }
        self.ends.insert(key, end);
        if self.ends.len() > planted!(TOMBSTONES_MAX => limit("tombstones", TOMBSTONES_MAX, self.ends.len()))
        {
            self.forget_oldest();
        }
        end
    }

    /// A copy with a later use outlives the expiry of its session (rule 7.17).
    pub(crate) fn undo(&mut self, key: SessionKey) {
        self.ends.remove(&key);
    }

    /// Forgets the ends that are older than `keep` says, unless `is_needed`.
    pub(crate) fn forget(
        &mut self,
        keep: impl Fn(&Tombstone) -> Duration,
        is_needed: impl Fn(SessionKey) -> bool,
        now: Instant,
    ) {
        self.ends.retain(|key, end| now.since(end.since) < keep(end) || is_needed(*key));
    }

    /// The next keys in order, at most `most`, for a walk over all ends.
    pub(crate) fn keys_after(&self, after: Option<SessionKey>, most: usize) -> Vec<SessionKey> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.ends.range((from, Bound::Unbounded)).take(most).map(|(key, _)| *key).collect()
    }

    /// The ends that a member announced, and that ended a copy here, no longer ago than `age`.
    pub(crate) fn announced_by(
        &self,
        member: Incarnation,
        age: Duration,
        now: Instant,
    ) -> impl Iterator<Item = (SessionKey, &Tombstone)> {
        let is_recent = move |end: &Tombstone| now.since(end.since) <= age;
        let ends = self.ends.iter();
        let ends = ends.filter(move |(_, end)| end.announced_by == Some(member) && is_recent(end));
        ends.map(|(key, end)| (*key, end))
    }

    fn forget_oldest(&mut self) {
        let mut ends: Vec<_> = self.ends.iter().map(|(key, end)| (end.since, *key)).collect();
        let forgotten = planted!(FORGOTTEN_AT_ONCE => forgotten_at_once(FORGOTTEN_AT_ONCE));
        ends.select_nth_unstable(forgotten);
        for (_, key) in &ends[..forgotten] {
            self.ends.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EndReason;
    use crate::marks::Birth;

    fn at(seconds: u64) -> Instant {
        Instant::after_origin(Duration::from_secs(seconds))
    }

    fn key(number: u32) -> SessionKey {
        SessionKey(u128::from(number).to_le_bytes())
    }

    fn end(touch: u32, reason: EndReason, seconds: u64) -> Tombstone {
        Tombstone { touch, reason, ..Tombstone::unknown(Birth::default(), at(seconds)) }
    }

    #[test]
    fn ends_of_one_session_are_merged_in_any_order() {
        let ends =
            [end(7, EndReason::Expired, 1), end(3, EndReason::Invalidated, 2), end(9, EndReason::Expired, 3)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut tombstones = Tombstones::default();
            for index in order {
                tombstones.record(key(1), ends[index], None);
            }
            let kept = tombstones.get(key(1)).unwrap();
            assert_eq!((kept.reason, kept.touch), (EndReason::Invalidated, 3), "the final one counts");
            assert_eq!(kept.since, at(1), "its time begins with the first");
        }
    }

    #[test]
    fn above_the_bound_the_oldest_are_forgotten() {
        let mut tombstones = Tombstones::default();
        for number in 0..=TOMBSTONES_MAX as u32 {
            // The order of their keys is not that of their ages.
            let aged = (number.wrapping_mul(7_919)) % (TOMBSTONES_MAX as u32 + 1);
            tombstones.record(key(aged), end(1, EndReason::Expired, u64::from(number)), None);
        }
        assert_eq!(tombstones.ends.len(), TOMBSTONES_MAX + 1 - FORGOTTEN_AT_ONCE);
        let oldest = tombstones.ends.values().map(|end| end.since).min().unwrap();
        assert_eq!(oldest, at(FORGOTTEN_AT_ONCE as u64));
    }

    #[test]
    fn an_end_is_kept_while_it_is_young_or_needed() {
        let mut tombstones = Tombstones::default();
        for number in 1..=3 {
            tombstones.record(key(number), end(1, EndReason::Expired, u64::from(number)), None);
        }
        let keep = |_: &Tombstone| Duration::from_secs(10);
        tombstones.forget(keep, |needed| needed == key(1), at(12));
        assert!(tombstones.contains(key(1)) && !tombstones.contains(key(2)) && tombstones.contains(key(3)));
    }

    #[test]
    fn only_the_end_of_a_copy_names_who_announced_it() {
        let (mut tombstones, member) = (Tombstones::default(), Incarnation(4));
        tombstones.record(key(1), end(1, EndReason::Expired, 1), None);
        tombstones.record(key(2), end(1, EndReason::Expired, 1), Some((AppId(6), member)));
        let announced = |now| {
            let ends = tombstones.announced_by(member, Duration::from_secs(5), now);
            ends.map(|(key, end)| (key, end.app)).collect::<Vec<_>>()
        };
        assert_eq!(announced(at(6)), [(key(2), AppId(6))]);
        assert_eq!(announced(at(7)), [], "long before the member's death");
    }
}
