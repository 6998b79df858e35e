//! A panic in the core is a bug, and leaves behind state that nobody may answer from: the node stops serving, and stops
//! ticking, so that the others go on without it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Blows when a thread panics while it is guarded.
#[derive(Debug, Default)]
pub(crate) struct Fuse(AtomicBool);

/// Held during a call into the core.
pub(crate) struct Guard<'f>(&'f Fuse);

impl Fuse {
    pub(crate) fn guard(&self) -> Guard<'_> {
        Guard(self)
    }

    pub(crate) fn is_blown(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.0.0.swap(true, Ordering::Relaxed) {
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
}
