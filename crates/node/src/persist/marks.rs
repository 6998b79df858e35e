//! Which sessions the store lacks: a small mark for each, in the order in which they are due.
//!
//! A mark names a session; its content is taken from memory when it is saved. So many changes of one session
//! are one save, and there are never more marks than sessions and ends in memory.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use sessile_core::SessionKey;
use sessile_store::Record;
use tokio::sync::oneshot;

/// Above so many marks nothing is gathered any more: the oldest are saved as fast as the store takes them.
pub(super) const MARKS_MAX: usize = 100_000;

/// A session that is to be saved.
#[derive(Debug)]
pub(super) struct Mark {
    /// Since when the store lacks something.
    pub(super) since: Instant,
    pub(super) due: Instant,
    /// Told when it is saved.
    pub(super) waiters: Vec<oneshot::Sender<()>>,
    /// The end of a session that could not be saved at first; memory may forget it before it is.
    pub(super) end: Option<Record>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Marks {
    waiting: HashMap<SessionKey, Mark>,
    order: BTreeSet<(Instant, SessionKey)>,
    /// What is being saved now, and since when the store lacks it.
    saving: HashMap<SessionKey, Instant>,
}

impl Marks {
    /// A session changed, and is to be saved within that time; whether it is the next one now. A session that
    /// is marked already keeps the earlier time.
    pub(super) fn mark(
        &mut self,
        key: SessionKey,
        now: Instant,
        within: Duration,
        waiter: Option<oneshot::Sender<()>>,
    ) -> bool {
        let mark = Mark { since: now, due: now + within, waiters: waiter.into_iter().collect(), end: None };
        self.put(key, mark)
    }

    /// Marks that were taken and could not be saved; what came meanwhile stays.
    pub(super) fn put_back(&mut self, key: SessionKey, mark: Mark, due: Instant) {
        self.saving.remove(&key);
        self.put(key, Mark { due, ..mark });
    }

    fn put(&mut self, key: SessionKey, mut mark: Mark) -> bool {
        let next = self.order.first().map(|(due, _)| *due);
        if let Some(before) = self.waiting.remove(&key) {
            self.order.remove(&(before.due, key));
            mark.since = mark.since.min(before.since);
            // What waits for its idle time, or for the store to be back, does not wait longer for being
            // changed again.
            mark.due = mark.due.min(before.due);
            mark.waiters.extend(before.waiters);
            mark.end = mark.end.or(before.end);
        }
        let is_next = next.is_none_or(|next| mark.due < next);
        self.order.insert((mark.due, key));
        self.waiting.insert(key, mark);
        is_next
    }

    /// The marks that are due, the earliest first, `most` at most; all there are with `all`.
    pub(super) fn take(&mut self, now: Instant, all: bool, most: usize) -> Vec<(SessionKey, Mark)> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(&(due, key)) = self.order.first()
            && (all || due <= now)
        {
            self.order.pop_first();
            if let Some(mark) = self.waiting.remove(&key) {
                self.saving.insert(key, mark.since);
                taken.push((key, mark));
            }
        }
        taken
    }

    /// What was taken is saved, or need not be.
    pub(super) fn done(&mut self, key: SessionKey) {
        self.saving.remove(&key);
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.order.first().map(|(due, _)| *due)
    }

    /// Sessions of which the store lacks something.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.saving.keys().filter(|key| !self.waiting.contains_key(*key)).count()
    }

    /// More than there should be.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.len() > MARKS_MAX
    }

    /// Since when the store lacks something.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.waiting.values().map(|mark| mark.since).chain(self.saving.values().copied()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn key(number: u8) -> SessionKey {
        SessionKey([number; 16])
    }

    #[test]
    fn changes_of_one_session_are_one_mark_with_the_first_time() {
        let (mut marks, start) = (Marks::default(), Instant::now());
        assert!(marks.mark(key(1), start, SECOND, None));
        assert!(!marks.mark(key(1), start + SECOND / 2, SECOND, None));
        assert_eq!((marks.len(), marks.next_due(), marks.oldest()), (1, Some(start + SECOND), Some(start)));
        assert!(marks.take(start, false, 9).is_empty());
        assert_eq!(marks.take(start + SECOND, false, 9).len(), 1);
        assert_eq!((marks.len(), marks.oldest()), (1, Some(start)), "it is not saved yet");
        marks.done(key(1));
        assert_eq!((marks.len(), marks.oldest()), (0, None));
    }

    #[test]
    fn a_change_during_a_save_is_not_lost_with_it() {
        let (mut marks, start) = (Marks::default(), Instant::now());
        marks.mark(key(1), start, Duration::ZERO, None);
        let taken = marks.take(start, false, 9);
        marks.mark(key(1), start + SECOND, Duration::ZERO, None);
        marks.done(key(1));
        assert_eq!(marks.len(), 1);
        drop(taken);
    }

    #[test]
    fn the_earliest_come_first_and_a_failed_one_keeps_its_age() {
        let (mut marks, start) = (Marks::default(), Instant::now());
        marks.mark(key(2), start + SECOND, Duration::ZERO, None);
        marks.mark(key(1), start, Duration::ZERO, None);
        let mut taken = marks.take(start + SECOND, false, 1);
        let (first, mark) = taken.pop().unwrap();
        assert_eq!(first, key(1));
        marks.put_back(first, mark, start + 9 * SECOND);
        assert_eq!(marks.oldest(), Some(start));
        assert_eq!(marks.take(start + SECOND, false, 9).len(), 1, "the other one does not wait for it");
        assert_eq!(marks.take(start + SECOND, true, 9).len(), 1);
    }
}
