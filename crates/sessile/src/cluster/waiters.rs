//! Who waits for what the node will decide: commits for their receipts, requests for answers and for the gate.
//!
//! Knows nothing of sessions or sockets. Each table holds at most one entry for each running request.

use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::Mutex;
use sessile_core::{AskId, Receipt, Ticket};
use tokio::sync::{Notify, oneshot};

/// All who wait for this node's decisions.
#[derive(Default)]
pub(crate) struct Waiters {
    /// Commits that are not settled yet.
    pub(crate) commits: Meeting<Ticket, Receipt>,
    /// Questions to the members that are not answered yet.
    pub(crate) asks: Meeting<AskId, ()>,
    /// Told whenever the gate may have moved.
    pub(crate) gate: Notify,
}

/// Where the one who started something meets its outcome, whichever of the two arrives first.
///
/// Every key is [`expect`](Self::expect)ed once and [`arrive`](Self::arrive)s once, on any two threads in any
/// order: an outcome that nobody waits for yet is kept, not lost.
pub(crate) struct Meeting<K, V> {
    places: Mutex<HashMap<K, Place<V>>>,
}

enum Place<V> {
    Awaited(Vec<oneshot::Sender<V>>),
    Early(V),
}

impl<K, V> Default for Meeting<K, V> {
    fn default() -> Self {
        Self { places: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> Meeting<K, V> {
    /// What the starter of `key` waits on; it always resolves. Called exactly once for a key.
    pub(crate) fn expect(&self, key: K) -> oneshot::Receiver<V> {
        let (sender, receiver) = oneshot::channel();
        let mut places = self.places.lock();
        match places.remove(&key) {
            Some(Place::Early(outcome)) => drop(sender.send(outcome)),
            Some(Place::Awaited(_)) | None => drop(places.insert(key, Place::Awaited(vec![sender]))),
        }
        receiver
    }

    /// Joins the starter of `key`; `None` when that one has not begun to wait, or is done.
    pub(crate) fn join(&self, key: &K) -> Option<oneshot::Receiver<V>> {
        let mut places = self.places.lock();
        let Some(Place::Awaited(senders)) = places.get_mut(key) else { return None };
        let (sender, receiver) = oneshot::channel();
        senders.push(sender);
        Some(receiver)
    }

    /// The outcome of `key` is known. Called exactly once for a key.
    pub(crate) fn arrive(&self, key: K, outcome: V) {
        let awaited = {
            let mut places = self.places.lock();
            match places.remove(&key) {
                Some(Place::Awaited(senders)) => senders,
                Some(Place::Early(_)) | None => {
                    places.insert(key, Place::Early(outcome));
                    return;
                }
            }
        };
        for sender in awaited {
            // A request that was given up has dropped its receiver: nothing to tell it.
            let _ = sender.send(outcome.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_outcome_meets_its_waiter_in_either_order() {
        let meeting = Meeting::default();
        meeting.arrive(1, "early");
        assert_eq!(meeting.expect(1).await.unwrap(), "early");

        let late = meeting.expect(2);
        let joined = meeting.join(&2).unwrap();
        meeting.arrive(2, "late");
        assert_eq!(late.await.unwrap(), "late");
        assert_eq!(joined.await.unwrap(), "late");
        assert!(meeting.places.lock().is_empty());
    }

    #[test]
    fn nobody_joins_what_is_not_awaited() {
        let meeting = Meeting::<_, ()>::default();
        assert!(meeting.join(&3).is_none());
        meeting.arrive(3, ());
        assert!(meeting.join(&3).is_none());
    }
}
