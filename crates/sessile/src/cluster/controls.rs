//! What operators change while a node runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::web::{CookieKeys, KeyLocks};

/// The switches and keys of one node; everybody who needs them holds the same ones.
pub(crate) struct Controls {
    pub(crate) cookie_keys: CookieKeys,
    /// Idempotency keys that requests of this node work on.
    pub(crate) key_locks: Arc<KeyLocks>,
    rewrites_route: AtomicBool,
    is_offered: AtomicBool,
}

impl Controls {
    /// Of a node that balancers may choose.
    pub(crate) fn new(cookie_keys: CookieKeys, rewrites_route: bool) -> Self {
        Self {
            cookie_keys,
            key_locks: Arc::default(),
            rewrites_route: AtomicBool::new(rewrites_route),
            is_offered: AtomicBool::new(true),
        }
    }

    /// Whether cookies that name another node are made to name this one.
    pub(crate) fn rewrites_route(&self) -> bool {
        self.rewrites_route.load(Relaxed)
    }

    pub(crate) fn rewrite_route(&self, on: bool) {
        self.rewrites_route.store(on, Relaxed);
    }

    /// Whether balancers are told that this node may be chosen, as far as an operator has a say in it.
    pub(crate) fn is_offered(&self) -> bool {
        self.is_offered.load(Relaxed)
    }

    pub(crate) fn offer(&self, offered: bool) {
        self.is_offered.store(offered, Relaxed);
    }
}
