//! Who waits for what the node will decide: commits for their receipts, requests for answers and for the
//! gate.
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

/// Where outcomes meet those who wait for them, whichever of the two arrives first.
///
/// An outcome may come, on another thread, before its waiter has learned the key to wait for. So whoever is
/// about to learn one says so first: while anybody is [`starting`](Self::starting), outcomes that nobody
/// waits for are kept. All others belong to what the node does by itself, and are dropped.
pub(crate) struct Meeting<K, V> {
    places: Mutex<Places<K, V>>,
}

struct Places<K, V> {
    awaited: HashMap<K, Vec<oneshot::Sender<V>>>,
    early: HashMap<K, V>,
    starting: usize,
}

impl<K, V> Default for Meeting<K, V> {
    fn default() -> Self {
        Self { places: Mutex::new(Places { awaited: HashMap::new(), early: HashMap::new(), starting: 0 }) }
    }
}

impl<K: Eq + Hash, V: Clone> Meeting<K, V> {
    /// To be called before the node is asked for a key, and held until the key is there.
    pub(crate) fn starting(&self) -> Starting<'_, K, V> {
        self.places.lock().starting += 1;
        Starting { meeting: self }
    }

    /// The outcome of `key` is known. Called at most once for a key.
    pub(crate) fn arrive(&self, key: K, outcome: V) {
        let senders = {
            let mut places = self.places.lock();
            match places.awaited.remove(&key) {
                Some(senders) => senders,
                None => {
                    if places.starting > 0 {
                        places.early.insert(key, outcome);
                    }
                    return;
                }
            }
        };
        for sender in senders {
            // A request that was given up has dropped its receiver: nothing to tell it.
            let _ = sender.send(outcome.clone());
        }
    }
}

/// Somebody is about to learn a key to wait for.
pub(crate) struct Starting<'a, K, V> {
    meeting: &'a Meeting<K, V>,
}

impl<K: Eq + Hash, V: Clone> Starting<'_, K, V> {
    /// What resolves with the outcome of `key`, be it early or late.
    pub(crate) fn expect(self, key: K) -> oneshot::Receiver<V> {
        let (sender, receiver) = oneshot::channel();
        let mut places = self.meeting.places.lock();
        match places.early.get(&key) {
            // It stays until nobody is starting: another one may be about to wait for the same.
            Some(outcome) => drop(sender.send(outcome.clone())),
            None => places.awaited.entry(key).or_default().push(sender),
        }
        drop(places);
        receiver
    }
}

impl<K, V> Drop for Starting<'_, K, V> {
    fn drop(&mut self) {
        let mut places = self.meeting.places.lock();
        places.starting -= 1;
        if places.starting == 0 {
            places.early.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_outcome_meets_all_its_waiters_in_any_order() {
        let meeting = Meeting::default();
        let (one, other) = (meeting.starting(), meeting.starting());
        meeting.arrive(1, "early");
        assert_eq!(one.expect(1).await.unwrap(), "early");
        assert_eq!(other.expect(1).await.unwrap(), "early");

        let (one, other) = (meeting.starting().expect(2), meeting.starting().expect(2));
        meeting.arrive(2, "late");
        assert_eq!((one.await.unwrap(), other.await.unwrap()), ("late", "late"));
        let places = meeting.places.lock();
        assert!(places.awaited.is_empty() && places.early.is_empty());
    }

    #[test]
    fn outcomes_that_nobody_started_are_not_kept() {
        let meeting = Meeting::default();
        meeting.arrive(1, ());
        assert!(meeting.places.lock().early.is_empty());
        let starting = meeting.starting();
        meeting.arrive(2, ());
        assert_eq!(meeting.places.lock().early.len(), 1);
        drop(starting);
        assert!(meeting.places.lock().early.is_empty());
    }
}
