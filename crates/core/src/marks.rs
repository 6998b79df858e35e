//! Which births this node has seen, so that a session which it lacks is known to have ended.
//!
//! An observed-remove set without tombstones works the same way (Bieniusa et al., "An Optimized
//! Conflict-free Replicated Set", 2012).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::Incarnation;
use crate::narrow::Narrow;

/// The creator of a session, and the number among its sessions in this shard. Numbers begin at one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Birth {
    pub(crate) incarnation: Incarnation,
    pub(crate) number: u64,
}

impl Birth {
    /// Bytes that hold every number, and the greatest one. No process makes so many sessions; a copy that
    /// says so is damage or malice.
    pub(crate) const NUMBER_BYTES: usize = 5;
    pub(crate) const NUMBER_MAX: u64 = Narrow::<{ Self::NUMBER_BYTES }>::MAX;
}

/// Births above a gap that are remembered for one incarnation. Beyond it the newest are forgotten: the mark
/// then stays where it is, which only delays what it could tell.
const MAX_ABOVE_GAP: usize = 4096;

/// Births under a mark that left without an end and are remembered for one incarnation. Beyond it the mark
/// falls below the first of them.
const DROPPED_MAX: usize = 1024;

/// Process starts that are remembered. Beyond it dead ones go, those without a living session first.
const INCARNATIONS_MAX: usize = 1024;

/// Beyond this many no further start is noted until the next [`BirthMarks::tidy`].
const INCARNATIONS_AT_ONCE: usize = 2 * INCARNATIONS_MAX;

/// For each incarnation, the highest birth seen without a gap, and those seen above it.
#[derive(Clone, Debug, Default)]
pub(crate) struct BirthMarks {
    incarnations: BTreeMap<Incarnation, Seen>,
    /// Incarnations that were noted so far.
    noted: u64,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    mark: u64,
    above: BTreeSet<u64>,
    /// Births under the mark that are not here, and did not end: their content was lost (rule 7.24).
    dropped: BTreeSet<u64>,
    /// Sessions of this incarnation that are here.
    living: u64,
    /// The order in which incarnations were noted.
    noted: u64,
}

impl BirthMarks {
    /// Notes that a session of this birth is or was here. Rule 7.8.
    pub(crate) fn saw(&mut self, birth: Birth) {
        if birth.number > 0
            && let Some(seen) = self.seen(birth.incarnation)
        {
            seen.saw(birth.number);
        }
    }

    /// A session of this birth is here from now on.
    pub(crate) fn came(&mut self, birth: Birth) {
        if birth.number > 0
            && let Some(seen) = self.seen(birth.incarnation)
        {
            seen.saw(birth.number);
            seen.living += 1;
        }
    }

    /// A session of this birth that was here has ended.
    pub(crate) fn ended(&mut self, birth: Birth) {
        self.saw(birth);
        if let Some(seen) = self.incarnations.get_mut(&birth.incarnation) {
            seen.living = seen.living.saturating_sub(1);
        }
    }

    /// A session of this birth was here and is not any more, though it did not end. Rule 7.24.
    pub(crate) fn dropped(&mut self, birth: Birth) {
        let Some(seen) = self.incarnations.get_mut(&birth.incarnation) else { return };
        seen.living = seen.living.saturating_sub(1);
        seen.drop_birth(birth.number);
    }

    /// A session of this birth was here for certain; if it is not here now, it ended. Rule 7.8.
    pub(crate) fn covers(&self, birth: Birth) -> bool {
        birth.number > 0
            && self.incarnations.get(&birth.incarnation).is_some_and(|seen| seen.covers(birth.number))
    }

    /// Takes over another node's marks, once everything it held under them is here.
    pub(crate) fn adopt(&mut self, incarnation: Incarnation, number: u64) {
        let Some(seen) = self.seen(incarnation) else { return };
        seen.mark = seen.mark.max(number);
        seen.above = seen.above.split_off(&(seen.mark + 1));
        // What that node has not dropped either has ended there, or is here.
        seen.dropped = seen.dropped.split_off(&(number + 1));
        seen.close_gap();
    }

    /// The marks without what lies above gaps; none is above a birth that left without an end.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Incarnation, u64)> {
        self.incarnations.iter().map(|(incarnation, seen)| (*incarnation, seen.certain()))
    }

    /// Forgets incarnations above the bound: the dead without a living session first, then the dead, the
    /// oldest of each first; never one that `is_member`. Rule 7.25.
    pub(crate) fn tidy(&mut self, is_member: impl Fn(Incarnation) -> bool) {
        let excess = self.incarnations.len().saturating_sub(
            planted!(INCARNATIONS_MAX => limit("birth marks", INCARNATIONS_MAX, self.incarnations.len())),
        );
        if excess == 0 {
            return;
        }
        let dead = self.incarnations.iter().filter(|(incarnation, _)| !is_member(**incarnation));
        let mut dead: Vec<_> =
            dead.map(|(incarnation, seen)| (seen.living > 0, seen.noted, *incarnation)).collect();
        dead.sort_unstable();
        for (.., incarnation) in dead.into_iter().take(excess) {
            self.incarnations.remove(&incarnation);
        }
    }

    fn seen(&mut self, incarnation: Incarnation) -> Option<&mut Seen> {
        let is_full = self.incarnations.len() >= INCARNATIONS_AT_ONCE;
        match self.incarnations.entry(incarnation) {
            Entry::Occupied(seen) => Some(seen.into_mut()),
            Entry::Vacant(_) if is_full => None,
            Entry::Vacant(seen) => {
                self.noted += 1;
                Some(seen.insert(Seen { noted: self.noted, ..Seen::default() }))
            }
        }
    }
}

impl Seen {
    fn saw(&mut self, number: u64) {
        if number <= self.mark {
            self.dropped.remove(&number);
        } else if number == self.mark + 1 {
            self.mark = number;
            self.close_gap();
        } else {
            self.above.insert(number);
            if self.above.len()
                > planted!(MAX_ABOVE_GAP => limit("births above a gap", MAX_ABOVE_GAP, self.above.len()))
            {
                self.above.pop_last();
            }
        }
    }

    fn drop_birth(&mut self, number: u64) {
        if number > self.mark {
            self.above.remove(&number);
            return;
        }
        self.dropped.insert(number);
        if self.dropped.len() > DROPPED_MAX {
            self.mark = self.certain();
            self.dropped.clear();
        }
    }

    fn covers(&self, number: u64) -> bool {
        number <= self.mark && !self.dropped.contains(&number)
    }

    /// The highest birth up to which everything that is not here has ended.
    fn certain(&self) -> u64 {
        self.dropped.first().map_or(self.mark, |first| first - 1)
    }

    fn close_gap(&mut self) {
        while self.above.first() == Some(&(self.mark + 1)) {
            self.above.pop_first();
            self.mark += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn birth(number: u64) -> Birth {
        Birth { incarnation: Incarnation(1), number }
    }

    #[test]
    fn a_mark_stops_at_the_first_gap() {
        let mut marks = BirthMarks::default();
        marks.saw(birth(1));
        marks.saw(birth(3));
        assert!(marks.covers(birth(1)) && !marks.covers(birth(2)) && !marks.covers(birth(3)));
        marks.saw(birth(2));
        assert!(marks.covers(birth(3)) && !marks.covers(birth(4)));
    }

    #[test]
    fn adopted_marks_swallow_what_lay_above() {
        let mut marks = BirthMarks::default();
        marks.saw(birth(5));
        marks.saw(birth(9));
        marks.adopt(Incarnation(1), 4);
        assert!(marks.covers(birth(5)) && !marks.covers(birth(6)));
        marks.adopt(Incarnation(1), 2);
        assert!(marks.covers(birth(5)));
    }

    #[test]
    fn an_unknown_birth_is_never_covered() {
        assert!(!BirthMarks::default().covers(Birth { incarnation: Incarnation(1), number: 0 }));
    }

    #[test]
    fn a_birth_that_left_without_an_end_is_not_covered_until_it_is_seen_again() {
        let mut marks = BirthMarks::default();
        (1..=9).for_each(|number| marks.came(birth(number)));
        marks.dropped(birth(4));
        assert!(marks.covers(birth(3)) && !marks.covers(birth(4)) && marks.covers(birth(9)));
        assert_eq!(
            marks.iter().collect::<Vec<_>>(),
            [(Incarnation(1), 3)],
            "others must not take it for ended"
        );
        marks.came(birth(4));
        assert!(marks.covers(birth(4)));
        // More than are remembered: the mark falls below the first of them.
        let most = DROPPED_MAX as u64 + 20;
        (1..=most).for_each(|number| marks.came(birth(number)));
        (10..=most).for_each(|number| marks.dropped(birth(number)));
        assert!(marks.covers(birth(9)) && (10..=most).all(|number| !marks.covers(birth(number))));
    }

    #[test]
    fn marks_of_members_and_of_living_sessions_survive_ten_thousand_starts() {
        let mut marks = BirthMarks::default();
        let of = |incarnation, number| Birth { incarnation: Incarnation(incarnation), number };
        let (member, newcomer, living) = (20_000, 20_001, 20_002);
        (1..=50).for_each(|number| marks.saw(of(member, number)));
        marks.came(of(living, 1));
        for start in 1..=10_000 {
            // Every one made more sessions than the members did, and all of them have ended.
            (1..=60).for_each(|number| marks.came(of(start, number)));
            (1..=60).for_each(|number| marks.ended(of(start, number)));
            marks.saw(of(newcomer, 1));
            marks.tidy(|incarnation| [member, newcomer].contains(&incarnation.0));
            assert!(marks.incarnations.len() <= INCARNATIONS_MAX);
        }
        assert!(marks.covers(of(member, 50)) && marks.covers(of(newcomer, 1)) && marks.covers(of(living, 1)));
        assert!(marks.covers(of(10_000, 60)) && !marks.covers(of(1, 1)), "the oldest of the dead are gone");
    }
}
