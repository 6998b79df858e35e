//! A panic in the core is a bug, and leaves behind state that nobody may answer from: the node stops serving, and stops
//! ticking, so that the others go on without it. Who waits for its decisions is told that none will come.

use std::sync::atomic::{AtomicBool, Ordering};

use super::waiters::Waiters;

/// Blows when a thread panics while it is guarded.
#[derive(Debug, Default)]
pub(crate) struct Fuse(AtomicBool);

/// Held during a call into the core.
pub(crate) struct Guard<'f> {
    fuse: &'f Fuse,
    /// The call is made while a handler's panic unwinds, to clean up after it: that is no fault of the core.
    cleans_up: bool,
    waiters: &'f Waiters,
}

impl Fuse {
    /// Guards a call on whose outcome `waiters` may wait.
    pub(crate) fn guard<'f>(&'f self, waiters: &'f Waiters) -> Guard<'f> {
        Guard { fuse: self, cleans_up: std::thread::panicking(), waiters }
    }

    pub(crate) fn is_blown(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let fell = std::thread::panicking() && !self.cleans_up;
        if fell && !self.fuse.0.swap(true, Ordering::Relaxed) {
            tracing::error!("a fault of this program: this node serves nobody any more; restart it");
            self.waiters.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_panic_blows_it() {
        let (fuse, waiters) = (Fuse::default(), Waiters::default());
        drop(fuse.guard(&waiters));
        assert!(!fuse.is_blown());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = fuse.guard(&waiters);
            panic!("a planted fault");
        }));
        assert!(panicked.is_err() && fuse.is_blown());
    }

    #[test]
    fn what_a_handlers_panic_cleans_up_does_not_blow_it() {
        struct CleansUp<'f>(&'f Fuse, &'f Waiters);
        impl Drop for CleansUp<'_> {
            fn drop(&mut self) {
                drop(self.0.guard(self.1));
            }
        }
        let (fuse, waiters) = (Fuse::default(), Waiters::default());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _cleans_up = CleansUp(&fuse, &waiters);
            panic!("a handler's fault");
        }));
        assert!(panicked.is_err() && !fuse.is_blown());
    }
}
