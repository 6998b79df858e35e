//! The names of the session cookies of one node's applications.

use std::collections::BTreeSet;

use parking_lot::RwLock;

/// Browsers take a cookie of this prefix from its own host only.
const HOST_PREFIX: &[u8] = b"__Host-";
/// Ends the name of the cookie that lists the members with copies of the session.
const ROUTES_SUFFIX: &[u8] = b"-routes";

/// The names of session cookies. A name stays when its application goes: browsers still hold the cookie.
#[derive(Debug, Default)]
pub(crate) struct SessionCookieNames(RwLock<BTreeSet<Vec<u8>>>);

impl SessionCookieNames {
    /// Adds the name of an application's session cookie.
    pub(crate) fn add(&self, name: &str) {
        let name = plain(name.as_bytes());
        if !self.0.read().contains(name) {
            self.0.write().insert(name.to_owned());
        }
    }

    /// Whether the name is one of them, with or without the host prefix, or that of a companion.
    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        let name = plain(name);
        let companion = name.strip_suffix(ROUTES_SUFFIX);
        let names = self.0.read();
        names.contains(name) || companion.is_some_and(|of| names.contains(of))
    }
}

fn plain(name: &[u8]) -> &[u8] {
    name.strip_prefix(HOST_PREFIX).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::SessionCookieNames;

    #[test]
    fn a_name_counts_with_its_prefix_and_its_companion() {
        let names = SessionCookieNames::default();
        names.add("sid");
        names.add("__Host-shop");
        for name in ["sid", "__Host-sid", "sid-routes", "__Host-sid-routes", "shop", "__Host-shop"] {
            assert!(names.contains(name.as_bytes()), "{name}");
        }
        for name in ["", "si", "sid2", "SID", "routes", "-routes", "__Host-", "theme"] {
            assert!(!names.contains(name.as_bytes()), "{name}");
        }
    }
}
