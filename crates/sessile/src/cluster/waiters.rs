//! Who waits for what the node will decide: commits for their receipts, requests for answers and for the gate.
//!
//! Knows nothing of sessions or sockets. Each table holds at most one entry for each running request.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use parking_lot::Mutex;
use sessile_core::{QuestionId, Receipt, Ticket};
use tokio::sync::{Notify, oneshot};

use super::permits::Permit;

/// All who wait for this node's decisions.
#[derive(Default)]
pub(crate) struct Waiters {
    /// Commits that are not settled yet.
    pub(crate) commits: Meeting<Ticket, Receipt>,
    /// Questions to the members that are not answered yet.
    pub(crate) asks: Meeting<QuestionId, ()>,
    /// Told whenever the gate or the state may have moved.
    pub(crate) gate: Notify,
}

impl Waiters {
    /// Nothing will be decided any more: who waits, and who is about to, learns that.
    pub(crate) fn abandon(&self) {
        self.commits.abandon();
        self.asks.abandon();
        self.gate.notify_waiters();
    }
}

/// Where outcomes meet those who wait for them, whichever of the two arrives first.
///
/// An outcome may come, on another thread, before its waiter has learned the key to wait for. So whoever is about
/// to learn one says so first, and an outcome that nobody waits for is kept for those who had already
/// [`started`](Self::starting) when it came. All others belong to what the node does by itself, and are dropped.
pub(crate) struct Meeting<K, V> {
    places: Mutex<Places<K, V>>,
}

struct Places<K, V> {
    awaited: HashMap<K, Vec<Waiter<V>>>,
    /// Outcomes that came early, in the order of their coming.
    early: BTreeMap<u64, (K, V)>,
    /// Those who are about to learn a key, by when they started.
    starting: BTreeSet<u64>,
    /// Counts starts and early outcomes, so that they can be compared.
    turn: u64,
    /// No outcome comes any more.
    abandoned: bool,
}

struct Waiter<V> {
    outcome: oneshot::Sender<V>,
    /// Given back when the outcome is known, even if nobody waits any more.
    held: Option<Permit>,
}

impl<K, V> Default for Meeting<K, V> {
    fn default() -> Self {
        let places = Places {
            awaited: HashMap::new(),
            early: BTreeMap::new(),
            starting: BTreeSet::new(),
            turn: 0,
            abandoned: false,
        };
        Self { places: Mutex::new(places) }
    }
}

impl<K: Eq + Hash, V: Clone> Meeting<K, V> {
    /// To be called before the node is asked for a key, and held, without waiting for anything, until it is there.
    pub(crate) fn starting(&self) -> Starting<'_, K, V> {
        let mut places = self.places.lock();
        let turn = places.next_turn();
        places.starting.insert(turn);
        Starting { meeting: self, turn }
    }

    /// The outcome of `key` is known. Called at most once for a key.
    pub(crate) fn arrive(&self, key: K, outcome: V) {
        let waiters = {
            let mut places = self.places.lock();
            match places.awaited.remove(&key) {
                Some(waiters) => waiters,
                None => {
                    if !places.starting.is_empty() {
                        let turn = places.next_turn();
                        places.early.insert(turn, (key, outcome));
                    }
                    return;
                }
            }
        };
        for waiter in waiters {
            drop(waiter.held);
            // A request that was given up has dropped its receiver: nothing to tell it.
            let _ = waiter.outcome.send(outcome.clone());
        }
    }
}

impl<K, V> Meeting<K, V> {
    /// AllMembers who waits, now or later, resolves without an outcome.
    fn abandon(&self) {
        let waiting = {
            let mut places = self.places.lock();
            places.abandoned = true;
            std::mem::take(&mut places.awaited)
        };
        drop(waiting);
    }
}

impl<K, V> Places<K, V> {
    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    /// Drops the early outcomes that came before everybody who is starting now.
    fn forget_early(&mut self) {
        match self.starting.first() {
            Some(oldest) => self.early = self.early.split_off(oldest),
            None => self.early.clear(),
        }
    }
}

/// Somebody is about to learn a key to wait for.
pub(crate) struct Starting<'a, K, V> {
    meeting: &'a Meeting<K, V>,
    turn: u64,
}

impl<K: Eq + Hash, V: Clone> Starting<'_, K, V> {
    /// What resolves with the outcome of `key`, be it early or late; as closed if none will come.
    pub(crate) fn expect(self, key: K) -> oneshot::Receiver<V> {
        self.expect_holding(key, None)
    }

    /// The same, and `held` is kept until that outcome is known.
    pub(crate) fn expect_holding(self, key: K, held: Option<Permit>) -> oneshot::Receiver<V> {
        let (sender, receiver) = oneshot::channel();
        let mut places = self.meeting.places.lock();
        let early = places.early.range(self.turn..).find(|(_, (known, _))| *known == key);
        match early {
            // It stays: another one who is starting may be about to wait for the same.
            Some((_, (_, outcome))) => drop(sender.send(outcome.clone())),
            None if places.abandoned => {}
            None => {
                let waiting = places.awaited.entry(key).or_default();
                waiting.retain(|waiter| waiter.held.is_some() || !waiter.outcome.is_closed());
                waiting.push(Waiter { outcome: sender, held });
            }
        }
        drop(places);
        receiver
    }
}

impl<K, V> Drop for Starting<'_, K, V> {
    fn drop(&mut self) {
        let mut places = self.meeting.places.lock();
        places.starting.remove(&self.turn);
        if !places.early.is_empty() {
            places.forget_early();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::permits::Permits;

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
    fn what_is_held_is_given_back_by_the_outcome_alone() {
        let (meeting, permits) = (Meeting::default(), Permits::new(1..=2));
        drop(meeting.starting().expect_holding(1, permits.try_take()));
        drop(meeting.starting().expect(1));
        assert_eq!(permits.free(), 1, "the client hung up, the commit goes on");
        meeting.arrive(1, ());
        assert_eq!(permits.free(), 2);
        let starting = meeting.starting();
        meeting.arrive(2, ());
        drop(starting.expect_holding(2, permits.try_take()));
        assert_eq!(permits.free(), 2, "the outcome came first");
    }

    #[tokio::test]
    async fn who_waits_in_vain_is_told() {
        let (meeting, permits) = (Meeting::<u32, ()>::default(), Permits::new(1..=2));
        let (before, starting) = (meeting.starting(), meeting.starting());
        let before = before.expect_holding(1, permits.try_take());
        meeting.abandon();
        assert!(before.await.is_err() && starting.expect(2).await.is_err());
        assert!(meeting.starting().expect(3).await.is_err());
        assert_eq!(permits.free(), 2);
    }

    #[test]
    fn outcomes_are_kept_only_for_those_who_had_started() {
        let meeting = Meeting::default();
        let early = |meeting: &Meeting<_, _>| meeting.places.lock().early.len();
        meeting.arrive(1, ());
        assert_eq!(early(&meeting), 0);
        let one = meeting.starting();
        meeting.arrive(2, ());
        let other = meeting.starting();
        meeting.arrive(3, ());
        assert_eq!(early(&meeting), 2);
        drop(one);
        assert_eq!(early(&meeting), 1, "the second one started after the first outcome");
        drop(other);
        assert_eq!(early(&meeting), 0);
    }
}
