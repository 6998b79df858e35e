//! A panic in the core is a bug, and leaves behind state that nobody may answer from: the node stops serving, and stops
//! ticking, so that the others go on without it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Blows when a thread panics while it is guarded.
#[derive(Debug, Default)]
pub(crate) struct Fuse(AtomicBool);

/// Held during a call into the core.
pub(crate) struct Guard<'f> {
    fuse: &'f Fuse,
    /// The call is made while a handler's panic unwinds, to clean up after it: that is no fault of the core.
    cleans_up: bool,
}

impl Fuse {
    pub(crate) fn guard(&self) -> Guard<'_> {
        Guard { fuse: self, cleans_up: std::thread::panicking() }
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_panic_blows_it() {
        let fuse = Fuse::default();
        drop(fuse.guard());
        assert!(!fuse.is_blown());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = fuse.guard();
            panic!("a planted fault");
        }));
        assert!(panicked.is_err() && fuse.is_blown());
    }

    #[test]
    fn what_a_handlers_panic_cleans_up_does_not_blow_it() {
        struct CleansUp<'f>(&'f Fuse);
        impl Drop for CleansUp<'_> {
            fn drop(&mut self) {
                drop(self.0.guard());
            }
        }
        let fuse = Fuse::default();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _cleans_up = CleansUp(&fuse);
            panic!("a handler's fault");
        }));
        assert!(panicked.is_err() && !fuse.is_blown());
    }
}
