//! Where requests wait while no node can take them: a bounded number, for a bounded time.
//!
//! A request that arrives while others wait stands behind them only where nodes have a limit of requests.
//! Without limits nobody waits for a place, only for a node that is up: then all can go at once.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// Longest sleep before a waiting request looks again, whatever it was not told.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The room.
#[derive(Debug, Default)]
pub(crate) struct WaitingRoom {
    waiting: AtomicUsize,
    /// Wakes one for each place that a node has again, and all when a node comes up.
    place: Notify,
    counts: WaitCounts,
}

/// Since the balancer began.
#[derive(Debug, Default)]
pub(crate) struct WaitCounts {
    /// Requests that had to wait.
    pub(crate) waited: AtomicU64,
    /// Those of them for which no node came in time.
    pub(crate) timed_out: AtomicU64,
    /// Requests that found the room full.
    pub(crate) turned_away: AtomicU64,
}

/// A request in the room, until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'a>(&'a WaitingRoom);

impl WaitingRoom {
    /// Requests that wait now.
    pub(crate) fn count(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    pub(crate) fn counts(&self) -> &WaitCounts {
        &self.counts
    }

    /// Lets a request in; nothing when `bound` are there.
    pub(crate) fn enter(&self, bound: usize) -> Option<Waiting<'_>> {
        let entered = self.waiting.try_update(Relaxed, Relaxed, |count| (count < bound).then_some(count + 1));
        let counter = if entered.is_ok() { &self.counts.waited } else { &self.counts.turned_away };
        counter.fetch_add(1, Relaxed);
        entered.ok().map(|_| Waiting(self))
    }

    /// A node has room for one more.
    pub(crate) fn place_is_free(&self) {
        if self.count() > 0 {
            self.place.notify_one();
        }
    }

    /// A node came up: all may look.
    pub(crate) fn node_is_up(&self) {
        self.place.notify_waiters();
    }
}

impl Waiting<'_> {
    /// Sleeps until there may be a node, for a short time at most.
    pub(crate) async fn sleep(&self) {
        // That nobody woke it is as good a reason to look.
        let _ = timeout(LOOK_AGAIN, self.0.place.notified()).await;
    }

    /// No node came in time.
    pub(crate) fn give_up(self) {
        self.0.counts.timed_out.fetch_add(1, Relaxed);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_bounded_and_those_who_leave_make_place() {
        let room = WaitingRoom::default();
        let (first, second) = (room.enter(2).unwrap(), room.enter(2).unwrap());
        assert!(room.enter(2).is_none());
        assert_eq!((room.count(), room.counts.turned_away.load(Relaxed)), (2, 1));
        second.give_up();
        drop(first);
        assert_eq!((room.count(), room.counts.timed_out.load(Relaxed)), (0, 1));
        assert!(room.enter(0).is_none(), "0: nobody waits");
    }
}
