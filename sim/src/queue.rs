//! Virtual time: what happens next, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use sessile_core::Instant;

use crate::event::Event;

/// Events in time order; events of one instant in insertion order.
#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    now: Instant,
}

impl Queue {
    /// The time of the event that was taken last.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Schedules `event` at `when`, or now if that is past.
    pub(crate) fn at(&mut self, when: Instant, event: Event) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { when: when.max(self.now), sequence: self.sequence, event }));
    }

    /// Schedules `event` after `delay`.
    pub(crate) fn after(&mut self, delay: Duration, event: Event) {
        self.at(self.now.plus(delay), event);
    }

    /// Takes the next event and moves the time to it.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let Reverse(entry) = self.heap.pop()?;
        self.now = entry.when;
        Some(entry.event)
    }
}

struct Entry {
    when: Instant,
    sequence: u64,
    event: Event,
}

impl Entry {
    fn position(&self) -> (Instant, u64) {
        (self.when, self.sequence)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.position() == other.position()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.position().cmp(&other.position())
    }
}
