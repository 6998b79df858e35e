//! What operators change while a node runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::{CookieKeys, DeadCookies, KeyLocks, SessionCookieNames};
use sessile_config::Config;
use sessile_node::host::{ClusterSecrets, SECRET_BYTES};

/// Tells this key from the others that are derived from the same secret.
const COOKIE_PURPOSE: &str = "sessile session cookie tag, version 1";

/// The switches and keys of one node; everybody who needs them holds the same ones.
pub struct Controls {
    pub(crate) cookie_keys: CookieKeys,
    /// Idempotency keys that requests of this node work on.
    pub(crate) key_locks: Arc<KeyLocks>,
    /// The session cookies of all applications that this node had since it started.
    pub(crate) cookie_names: SessionCookieNames,
    /// Requests of this node whose cookie is of a session that is gone.
    pub(crate) dead_cookies: Arc<DeadCookies>,
    rewrites_route: AtomicBool,
}

impl Controls {
    /// Of a node with the secrets of its cluster.
    #[must_use]
    pub fn of(config: &Config, secrets: Option<&ClusterSecrets>) -> Self {
        Self::new(CookieKeys::new(cookie_keys(config, secrets)), config.node.rewrite_route)
    }

    /// The cluster's secrets were renewed: cookies are made with the first one from now on, and those of all
    /// are believed.
    pub fn renew_secrets(&self, config: &Config, secrets: &ClusterSecrets) {
        self.cookie_keys.renew(cookie_keys(config, Some(secrets)));
    }

    /// With keys of their own.
    pub(crate) fn new(cookie_keys: CookieKeys, rewrites_route: bool) -> Self {
        Self {
            cookie_keys,
            key_locks: Arc::default(),
            cookie_names: SessionCookieNames::default(),
            dead_cookies: Arc::default(),
            rewrites_route: AtomicBool::new(rewrites_route),
        }
    }

    /// Whether cookies that name another node are made to name this one.
    #[must_use]
    pub fn rewrites_route(&self) -> bool {
        self.rewrites_route.load(Relaxed)
    }

    /// Switches that.
    pub fn rewrite_route(&self, on: bool) {
        self.rewrites_route.store(on, Relaxed);
    }
}

/// The keys of the cookies' tags, the same on every node, that of the active secret first. Without a secret
/// anybody can make a tag, and only the random bits of key and secret keep a session closed.
fn cookie_keys(config: &Config, secrets: Option<&ClusterSecrets>) -> Vec<[u8; 32]> {
    let nobodys = || ClusterSecrets::new([0; SECRET_BYTES], Vec::new());
    secrets.cloned().unwrap_or_else(nobodys).derive_all(&config.cluster.name, COOKIE_PURPOSE)
}
