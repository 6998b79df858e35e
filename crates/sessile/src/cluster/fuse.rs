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
    waiters: &'f Waiters,
}

impl Fuse {
    /// Guards a call on whose outcome `waiters` may wait.
    pub(crate) fn guard<'f>(&'f self, waiters: &'f Waiters) -> Guard<'f> {
        Guard { fuse: self, waiters }
    }

    pub(crate) fn is_blown(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.fuse.0.swap(true, Ordering::Relaxed) {
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
}
