//! The first search: is anybody there?
//!
//! It is over when the membership has named every address it knows of and each of them answered or refused, or when
//! the time given has passed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::handshake_refusal::HandshakeRefusal;

/// Addresses waited for at most; further ones are dialed but not waited for.
const AWAITED_MAX: usize = 1024;

/// The state of the first search.
#[derive(Debug)]
pub(crate) struct Search {
    awaited: BTreeSet<SocketAddr>,
    /// Addresses where somebody answered who is no member of this cluster.
    strangers: BTreeMap<SocketAddr, HandshakeRefusal>,
    patience: Duration,
    /// When it ends at the latest; known once the membership has named all.
    deadline: Option<Instant>,
}

impl Search {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { awaited: BTreeSet::new(), strangers: BTreeMap::new(), patience, deadline: None }
    }

    /// The membership named an address that has not answered yet.
    pub(crate) fn sighted(&mut self, address: SocketAddr) {
        if self.deadline.is_none() && self.awaited.len() < AWAITED_MAX {
            self.awaited.insert(address);
        }
    }

    /// The membership has named all that it knows of.
    pub(crate) fn all_named(&mut self, now: Instant) {
        self.deadline.get_or_insert(now + self.patience);
    }

    /// The address answered or refused.
    pub(crate) fn settled(&mut self, address: SocketAddr) {
        self.awaited.remove(&address);
    }

    /// Somebody answered at the address, and no member of this cluster.
    pub(crate) fn stranger(&mut self, address: SocketAddr, cause: HandshakeRefusal) {
        if self.awaited.remove(&address) {
            self.strangers.insert(address, cause);
        }
    }

    pub(crate) fn awaits(&self, address: SocketAddr) -> bool {
        self.awaited.contains(&address)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether it is over at `now`.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| self.awaited.is_empty() || now >= deadline)
    }

    /// The addresses that stayed silent, and those where strangers answered.
    pub(crate) fn into_findings(self) -> (Vec<SocketAddr>, Vec<(SocketAddr, HandshakeRefusal)>) {
        (self.awaited.into_iter().collect(), self.strangers.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_all_settled_or_time_ran_out() {
        let now = Instant::now();
        let [a, b, c] = [1, 2, 3].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut search = Search::new(Duration::from_secs(3));
        assert!(!search.is_over(now), "nothing was named yet");
        search.sighted(a);
        search.sighted(b);
        search.sighted(c);
        search.all_named(now);
        search.settled(a);
        search.stranger(c, HandshakeRefusal::Untrusted);
        assert!(!search.is_over(now) && search.awaits(b));
        assert!(search.is_over(now + Duration::from_secs(3)));
        assert_eq!(search.into_findings(), (vec![b], vec![(c, HandshakeRefusal::Untrusted)]));
    }
}
