//! How many requests may be repeated. Pure but for atomic counters.
//!
//! A request that a backend may have begun costs a second backend the same work again. Where many fail at
//! once, the repeats double the load of those that are left. So repeats are paid for: each request of a
//! client brings a share of a repeat, and each repeat takes a whole one. A request that no backend can have
//! begun is repeated free of charge: refused connections cost nobody anything. Source: the retry budgets of
//! Finagle and of Envoy.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Parts of a repeat in which the budget is kept.
const PARTS: u64 = 100;
/// Most repeats that can be saved up.
const MAX_SAVED: u64 = 1_000;
/// Repeats at hand when the balancer starts, and so in a time with few requests.
const START: u64 = 100;

/// The repeats that are at hand.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    saved: AtomicU64,
    denied: AtomicU64,
}

impl RetryBudget {
    pub(crate) fn new() -> Self {
        Self { saved: AtomicU64::new(START * PARTS), denied: AtomicU64::new(0) }
    }

    /// A client's request brings `percent` of a repeat.
    pub(crate) fn deposit(&self, percent: u32) {
        // Two at once may both add below the bound; what they pass it by is a hundredth of nothing.
        if self.saved.load(Relaxed) < MAX_SAVED * PARTS {
            self.saved.fetch_add(u64::from(percent), Relaxed);
        }
    }

    /// Takes a repeat, if there is one.
    pub(crate) fn withdraw(&self) -> bool {
        let taken = self.saved.try_update(Relaxed, Relaxed, |saved| saved.checked_sub(PARTS)).is_ok();
        if !taken {
            self.denied.fetch_add(1, Relaxed);
        }
        taken
    }

    /// Repeats that were not made for want of budget.
    pub(crate) fn denied(&self) -> u64 {
        self.denied.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_a_share_of_the_requests_and_bounded() {
        let budget = RetryBudget::new();
        let repeats = |budget: &RetryBudget| (0..10 * MAX_SAVED).filter(|_| budget.withdraw()).count() as u64;
        assert_eq!(repeats(&budget), START);
        (0..50).for_each(|_| budget.deposit(20));
        assert_eq!(repeats(&budget), 10);
        (0..100_000).for_each(|_| budget.deposit(100));
        assert_eq!(repeats(&budget), MAX_SAVED);
        assert!(budget.denied() > 0);
    }
}
