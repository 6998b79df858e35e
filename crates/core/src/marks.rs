//! Which births this node has seen, so that a session which it lacks is known to have ended.
//!
//! An observed-remove set without tombstones works the same way (Bieniusa et al., "An Optimized
//! Conflict-free Replicated Set", 2012).

use std::collections::{BTreeMap, BTreeSet};

use crate::Incarnation;
use crate::narrow::Narrow;

/// Who created a session, and as which of its sessions in this shard. Numbers begin at one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Birth {
    pub(crate) incarnation: Incarnation,
    pub(crate) number: u64,
}

impl Birth {
    /// Bytes that hold every number, and the greatest one. No process makes so many sessions; a copy that says so is
    /// damage or malice.
    pub(crate) const NUMBER_BYTES: usize = 5;
    pub(crate) const NUMBER_MAX: u64 = Narrow::<{ Self::NUMBER_BYTES }>::MAX;
}

/// Births above a gap that are remembered for one incarnation. Beyond it the newest are forgotten: the mark then
/// stays where it is, which only delays what it could tell.
const MAX_ABOVE_GAP: usize = 4096;

/// Boots that are remembered; beyond it the one with the fewest births goes.
const MAX_BOOTS: usize = 1024;

/// For each incarnation, the highest birth seen without a gap, and those seen above it.
#[derive(Clone, Debug, Default)]
pub(crate) struct BirthMarks {
    incarnations: BTreeMap<Incarnation, Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    mark: u64,
    above: BTreeSet<u64>,
}

impl BirthMarks {
    /// Notes that a session of this birth is or was here. Rule 7.8.
    pub(crate) fn saw(&mut self, birth: Birth) {
        if birth.number == 0 {
            return;
        }
        self.make_room(birth.incarnation);
        let seen = self.incarnations.entry(birth.incarnation).or_default();
        if birth.number <= seen.mark {
            return;
        }
        if birth.number == seen.mark + 1 {
            seen.mark = birth.number;
            seen.close_gap();
            return;
        }
        seen.above.insert(birth.number);
        if seen.above.len()
            > planted!(MAX_ABOVE_GAP => limit("births above a gap", MAX_ABOVE_GAP, seen.above.len()))
        {
            seen.above.pop_last();
        }
    }

    /// A session of this birth was here for certain; if it is not here now, it ended. Rule 7.8.
    pub(crate) fn covers(&self, birth: Birth) -> bool {
        birth.number > 0
            && self.incarnations.get(&birth.incarnation).is_some_and(|seen| birth.number <= seen.mark)
    }

    /// Takes over another node's marks, once everything it held under them is here.
    pub(crate) fn adopt(&mut self, incarnation: Incarnation, number: u64) {
        self.make_room(incarnation);
        let seen = self.incarnations.entry(incarnation).or_default();
        seen.mark = seen.mark.max(number);
        seen.above = seen.above.split_off(&(seen.mark + 1));
        seen.close_gap();
    }

    /// The marks without what lies above gaps.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Incarnation, u64)> {
        self.incarnations.iter().map(|(incarnation, seen)| (*incarnation, seen.mark))
    }

    fn make_room(&mut self, newcomer: Incarnation) {
        if self.incarnations.len()
            < planted!(MAX_BOOTS => limit("birth marks", MAX_BOOTS, self.incarnations.len()))
            || self.incarnations.contains_key(&newcomer)
        {
            return;
        }
        if let Some(least) =
            self.incarnations.iter().min_by_key(|(_, seen)| seen.mark).map(|(incarnation, _)| *incarnation)
        {
            self.incarnations.remove(&least);
        }
    }
}

impl Seen {
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
}
