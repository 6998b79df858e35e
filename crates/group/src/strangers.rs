//! Addresses where somebody answered who is no member of this cluster: skipped, and named to operators (rule
//! 5.17).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use parking_lot::Mutex;

use crate::handshake_refusal::HandshakeRefusal;

/// Strangers named at most; further ones are counted only.
const STRANGERS_MAX: usize = 32;

/// The strangers that this node meets now.
#[derive(Debug, Default)]
pub(crate) struct Strangers(Mutex<BTreeMap<SocketAddr, HandshakeRefusal>>);

impl Strangers {
    /// Somebody at the address is no member. Gives whether this is news.
    pub(crate) fn met(&self, address: SocketAddr, cause: HandshakeRefusal) -> bool {
        let mut known = self.0.lock();
        let is_known = known.contains_key(&address);
        if !is_known && known.len() >= STRANGERS_MAX {
            return false;
        }
        known.insert(address, cause) != Some(cause)
    }

    /// A member answers there now, or nobody.
    pub(crate) fn gone(&self, address: SocketAddr) {
        self.0.lock().remove(&address);
    }

    pub(crate) fn all(&self) -> Vec<(SocketAddr, HandshakeRefusal)> {
        self.0.lock().iter().map(|(address, cause)| (*address, *cause)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stranger_is_news_once_and_their_number_is_bounded() {
        let strangers = Strangers::default();
        let address = |port: usize| SocketAddr::from(([127, 0, 0, 1], port as u16));
        for port in 0..STRANGERS_MAX {
            assert!(strangers.met(address(port), HandshakeRefusal::Untrusted));
            assert!(!strangers.met(address(port), HandshakeRefusal::Untrusted));
        }
        assert!(strangers.met(address(0), HandshakeRefusal::Version), "another cause is news");
        assert!(!strangers.met(address(STRANGERS_MAX), HandshakeRefusal::Untrusted), "no room");
        strangers.gone(address(0));
        assert!(strangers.met(address(STRANGERS_MAX), HandshakeRefusal::Untrusted));
        assert_eq!(strangers.all().len(), STRANGERS_MAX);
    }
}
