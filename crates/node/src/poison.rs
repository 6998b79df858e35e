//! A panic in the core is a bug, and leaves behind state that nobody may answer from: the node stops serving,
//! and stops ticking, so that the others go on without it. Who waits for its decisions is told that none will
//! come.

use std::sync::atomic::{AtomicBool, Ordering};

use super::waiters::Waiters;

/// Set when a thread panics while it is guarded.
#[derive(Debug, Default)]
pub(crate) struct Poison(AtomicBool);

/// Held during a call into the core.
pub(crate) struct Guard<'f> {
    poison: &'f Poison,
    /// The call is made while a handler's panic unwinds, to clean up after it: that is no fault of the core.
    cleans_up: bool,
    waiters: &'f Waiters,
}

impl Poison {
    /// Guards a call on whose outcome `waiters` may wait.
    pub(crate) fn guard<'f>(&'f self, waiters: &'f Waiters) -> Guard<'f> {
        Guard { poison: self, cleans_up: std::thread::panicking(), waiters }
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let fell = std::thread::panicking() && !self.cleans_up;
        if fell && !self.poison.0.swap(true, Ordering::Relaxed) {
            tracing::error!("a fault of this program: this node serves nobody any more; restart it");
            self.waiters.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_panic_poisons() {
        let (poison, waiters) = (Poison::default(), Waiters::default());
        drop(poison.guard(&waiters));
        assert!(!poison.is_poisoned());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = poison.guard(&waiters);
            panic!("a planted fault");
        }));
        assert!(panicked.is_err() && poison.is_poisoned());
    }

    #[test]
    fn what_a_handlers_panic_cleans_up_does_not_poison() {
        struct CleansUp<'f>(&'f Poison, &'f Waiters);
        impl Drop for CleansUp<'_> {
            fn drop(&mut self) {
                drop(self.0.guard(self.1));
            }
        }
        let (poison, waiters) = (Poison::default(), Waiters::default());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _cleans_up = CleansUp(&poison, &waiters);
            panic!("a handler's fault");
        }));
        assert!(panicked.is_err() && !poison.is_poisoned());
    }
}
