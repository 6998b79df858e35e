//! The ends that one shard remembers, so that no copy brings an ended session back (rules 7.1 and 7.6).
//!
//! There is one way in, [`Tombstones::record`], which merges ends of one session; and two ways out, a use
//! that an expiry did not know, and time. Above the bound the oldest are forgotten, but none that a member
//! may lack: the shard says which these are. Must not know which members need an end.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use crate::tombstone::Tombstone;
use crate::{AppId, Incarnation, Instant, SessionKey};

/// Ends remembered in one shard, beside those that some member may lack. Above it the oldest are forgotten,
/// and birth marks serve in their place (rule 7.8).
const TOMBSTONES_MAX: usize = 1 << 16;

/// Ends that are looked at in one hold of the shard's lock.
const LOOKED_AT_ONCE: usize = 512;

/// The tombstones of one shard, by session.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    ends: BTreeMap<SessionKey, Tombstone>,
    /// The same, by when they ended.
    by_age: BTreeSet<(Instant, SessionKey)>,
    /// How far the walk has come that finds those whose time is over.
    looked_at: Option<SessionKey>,
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
    /// `ended_copy` names the application of the copy that ended here and the member that announced the end,
    /// if both exist: this node notifies listeners in place of that member if it dies (rule 7.23).
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
        if let Some(known) = self.ends.insert(key, end) {
            self.by_age.remove(&(known.since, key));
        }
        self.by_age.insert((end.since, key));
        end
    }

    /// A copy with a later use outlives the expiry of its session (rule 7.17).
    pub(crate) fn undo(&mut self, key: SessionKey) {
        if let Some(end) = self.ends.remove(&key) {
            self.by_age.remove(&(end.since, key));
        }
    }

    /// Ends that may be forgotten now unless some member lacks them: those older than `keep` says, a few at
    /// each call, and the oldest of those above the bound.
    pub(crate) fn due(
        &mut self,
        keep: impl Fn(&Tombstone) -> Duration,
        now: Instant,
    ) -> BTreeSet<SessionKey> {
        let from = self.looked_at.map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        let mut due = BTreeSet::new();
        for (key, end) in self.ends.range((from, Bound::Unbounded)).take(LOOKED_AT_ONCE) {
            last = Some(*key);
            if now.since(end.since) >= keep(end) {
                due.insert(*key);
            }
        }
        self.looked_at = last;
        let most = planted!(TOMBSTONES_MAX => limit("tombstones", TOMBSTONES_MAX, self.ends.len()));
        let excess = self.ends.len().saturating_sub(most).min(LOOKED_AT_ONCE);
        due.extend(self.by_age.iter().take(excess).map(|(_, key)| *key));
        due
    }

    /// Whether there are too many, at every so-manieth of them.
    pub(crate) fn are_many(&self) -> bool {
        let excess = self.ends.len().saturating_sub(TOMBSTONES_MAX);
        excess > 0 && excess.is_multiple_of(LOOKED_AT_ONCE)
    }

    /// Forgets these.
    pub(crate) fn forget(&mut self, keys: &BTreeSet<SessionKey>) {
        keys.iter().for_each(|key| self.undo(*key));
    }

    /// The next keys in order, at most `most`, for a walk over all ends.
    pub(crate) fn keys_after(&self, after: Option<SessionKey>, most: usize) -> Vec<SessionKey> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.ends.range((from, Bound::Unbounded)).take(most).map(|(key, _)| *key).collect()
    }

    /// The ends since a time that a member announced, and that ended a copy here.
    pub(crate) fn announced_by(
        &self,
        member: Incarnation,
        since: Instant,
    ) -> impl Iterator<Item = (SessionKey, &Tombstone)> {
        let recent = self.by_age.range((since, SessionKey([0; 16]))..);
        let recent = recent.filter_map(|(_, key)| Some((*key, self.ends.get(key)?)));
        recent.filter(move |(_, end)| end.announced_by == Some(member))
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
    fn above_the_bound_the_oldest_are_forgotten_but_none_that_a_member_lacks() {
        let mut tombstones = Tombstones::default();
        let many = TOMBSTONES_MAX as u32 + 100;
        for number in 0..many {
            // The order of their keys is not that of their ages.
            let aged = number.wrapping_mul(7_919) % many;
            tombstones.record(key(aged), end(1, EndReason::Expired, u64::from(number)), None);
        }
        let keep = |_: &Tombstone| Duration::MAX;
        let oldest: Vec<_> = (0..100).map(|number: u32| key(number.wrapping_mul(7_919) % many)).collect();
        let mut due = tombstones.due(keep, at(0));
        assert_eq!(due, oldest.iter().copied().collect());
        due.retain(|due| *due != oldest[7]);
        tombstones.forget(&due);
        assert_eq!(
            tombstones.due(keep, at(0)),
            [oldest[7]].into(),
            "it is needed, and stays above the bound"
        );
        assert_eq!(
            (tombstones.ends.len(), tombstones.by_age.len()),
            (TOMBSTONES_MAX + 1, TOMBSTONES_MAX + 1)
        );
    }

    #[test]
    fn an_end_is_due_when_it_is_old_and_a_walk_sees_each_a_few_at_a_time() {
        let mut tombstones = Tombstones::default();
        let many = 3 * LOOKED_AT_ONCE as u32;
        (0..many).for_each(|number| {
            tombstones.record(key(number), end(1, EndReason::Expired, u64::from(number % 3)), None);
        });
        let keep = |_: &Tombstone| Duration::from_secs(10);
        for looks in 0..2 {
            let due: Vec<_> = (0..4).map(|_| tombstones.due(keep, at(11))).collect();
            assert!(due.iter().all(|due| due.len() <= LOOKED_AT_ONCE));
            let due: BTreeSet<_> = due.into_iter().flatten().collect();
            assert_eq!(due.len(), if looks == 0 { many as usize * 2 / 3 } else { 0 });
            tombstones.forget(&due);
        }
        assert_eq!(tombstones.ends.len(), many as usize / 3);
    }

    #[test]
    fn only_the_end_of_a_copy_names_who_announced_it() {
        let (mut tombstones, member) = (Tombstones::default(), Incarnation(4));
        tombstones.record(key(1), end(1, EndReason::Expired, 1), None);
        tombstones.record(key(2), end(1, EndReason::Expired, 1), Some((AppId(6), member)));
        let announced = |since| {
            let ends = tombstones.announced_by(member, since);
            ends.map(|(key, end)| (key, end.app)).collect::<Vec<_>>()
        };
        assert_eq!(announced(at(1)), [(key(2), AppId(6))]);
        assert_eq!(announced(at(2)), [], "long before the member's death");
    }
}
