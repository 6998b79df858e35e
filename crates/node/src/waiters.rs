//! Who waits for what the node will decide: commits for their receipts, requests for answers and for the
//! gate.
//!
//! Whoever waits is here before the node is called, with a number that goes along with the call: so an
//! outcome always finds its waiter. Knows nothing of sessions or sockets. Each table holds at most one entry
//! for each running request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use sessile_core::{QuestionId, Receipt, Ticket};
use tokio::sync::{Notify, oneshot};

use super::permits::Permit;

/// Locks of one table: requests that wait at once seldom meet at the same.
const STRIPES: usize = 16;

/// All who wait for this node's decisions.
#[derive(Default)]
pub(crate) struct Waiters {
    /// Commits that are not settled yet.
    commits: Outcomes<Receipt>,
    /// Questions to the members that are not answered yet.
    questions: Outcomes<()>,
    /// Notified whenever the gate or the state may have moved.
    pub(crate) gate: Notify,
}

impl Waiters {
    /// A ticket to commit with, and what resolves with its receipt. `held` is given back when the receipt is
    /// there, even if nobody waits any more.
    pub(crate) fn commit(&self, held: Option<Permit>) -> (Ticket, oneshot::Receiver<Receipt>) {
        let (number, receipt) = self.commits.expect(held);
        (Ticket(number), receipt)
    }

    /// The node did not take the ticket: no receipt will come.
    pub(crate) fn commit_refused(&self, ticket: Ticket) {
        self.commits.forget(ticket.0);
    }

    pub(crate) fn settled(&self, ticket: Ticket, receipt: Receipt) {
        self.commits.arrive(ticket.0, receipt);
    }

    /// A question to ask with, and what resolves when it is answered.
    pub(crate) fn question(&self) -> (QuestionId, oneshot::Receiver<()>) {
        let (number, answer) = self.questions.expect(None);
        (QuestionId(number), answer)
    }

    /// The node did not need to ask.
    pub(crate) fn question_unasked(&self, question: QuestionId) {
        self.questions.forget(question.0);
    }

    pub(crate) fn answered(&self, question: QuestionId) {
        self.questions.arrive(question.0, ());
    }

    /// Nothing will be decided any more: who waits, and who is about to, learns that.
    pub(crate) fn abandon(&self) {
        self.commits.abandon();
        self.questions.abandon();
        self.gate.notify_waiters();
    }
}

/// Those who wait for an outcome each, by number.
struct Outcomes<V> {
    next: AtomicU64,
    stripes: [Mutex<Stripe<V>>; STRIPES],
}

struct Stripe<V> {
    waiting: HashMap<u64, Waiter<V>>,
    /// No outcome comes any more.
    abandoned: bool,
}

struct Waiter<V> {
    outcome: oneshot::Sender<V>,
    /// Given back when the outcome is known, even if nobody waits any more.
    held: Option<Permit>,
}

impl<V> Default for Outcomes<V> {
    fn default() -> Self {
        let stripe = || Mutex::new(Stripe { waiting: HashMap::new(), abandoned: false });
        Self { next: AtomicU64::new(0), stripes: std::array::from_fn(|_| stripe()) }
    }
}

impl<V> Outcomes<V> {
    fn stripe(&self, number: u64) -> &Mutex<Stripe<V>> {
        &self.stripes[number as usize % STRIPES]
    }

    /// A number that nobody has, and what resolves with its outcome; as closed if none will come.
    fn expect(&self, held: Option<Permit>) -> (u64, oneshot::Receiver<V>) {
        let number = self.next.fetch_add(1, Relaxed);
        let (outcome, receiver) = oneshot::channel();
        let mut stripe = self.stripe(number).lock();
        if !stripe.abandoned {
            stripe.waiting.insert(number, Waiter { outcome, held });
        }
        (number, receiver)
    }

    /// The outcome is known. Called at most once for a number.
    fn arrive(&self, number: u64, outcome: V) {
        let waiter = self.stripe(number).lock().waiting.remove(&number);
        if let Some(waiter) = waiter {
            drop(waiter.held);
            // A request that was given up has dropped its receiver: nobody is to be told.
            let _ = waiter.outcome.send(outcome);
        }
    }

    /// No outcome will come for this number.
    fn forget(&self, number: u64) {
        // Dropped outside the lock: it may give a permit back.
        let _waiter = self.stripe(number).lock().waiting.remove(&number);
    }

    /// All who wait, now or later, resolve without an outcome.
    fn abandon(&self) {
        for stripe in &self.stripes {
            let mut stripe = stripe.lock();
            stripe.abandoned = true;
            let waiting = std::mem::take(&mut stripe.waiting);
            drop(stripe);
            drop(waiting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permits::Permits;

    fn waiting<V>(outcomes: &Outcomes<V>) -> usize {
        outcomes.stripes.iter().map(|stripe| stripe.lock().waiting.len()).sum()
    }

    #[tokio::test]
    async fn each_outcome_meets_its_own_waiter() {
        let outcomes = Outcomes::default();
        let (one, other) = (outcomes.expect(None), outcomes.expect(None));
        outcomes.arrive(other.0, "other");
        outcomes.arrive(one.0, "one");
        assert_eq!((one.1.await, other.1.await), (Ok("one"), Ok("other")));
        outcomes.arrive(7, "of nobody");
        assert_eq!(waiting(&outcomes), 0);
    }

    #[test]
    fn what_is_held_is_given_back_by_the_outcome_or_when_none_will_come() {
        let (outcomes, permits) = (Outcomes::default(), Permits::new(1..=2));
        let (number, _) = outcomes.expect(permits.try_take());
        assert_eq!(permits.free(), 1, "the client hung up, the commit goes on");
        outcomes.arrive(number, ());
        assert_eq!(permits.free(), 2);
        let (number, _) = outcomes.expect(permits.try_take());
        outcomes.forget(number);
        assert_eq!((permits.free(), waiting(&outcomes)), (2, 0));
    }

    #[tokio::test]
    async fn a_waiter_learns_that_nothing_will_come() {
        let (outcomes, permits) = (Outcomes::<()>::default(), Permits::new(1..=2));
        let (_, before) = outcomes.expect(permits.try_take());
        outcomes.abandon();
        let (_, after) = outcomes.expect(permits.try_take());
        assert!(before.await.is_err() && after.await.is_err());
        assert_eq!((permits.free(), waiting(&outcomes)), (2, 0));
    }
}
