//! The first search: is anybody there?
//!
//! It is over when the membership has named every address it knows of and each of them answered or refused,
//! or when the time given has passed. Addresses where somebody is and says nothing are waited for longer:
//! until they speak or are gone (rule 5.16).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::handshake_refusal::HandshakeRefusal;

/// Addresses waited for at most; further ones are dialed but not waited for.
const AWAITED_MAX: usize = 1024;

/// The state of the first search.
#[derive(Debug)]
pub(crate) struct Search {
    awaited: BTreeMap<SocketAddr, Signs>,
    /// Addresses where somebody answered who is no member of this cluster.
    strangers: BTreeMap<SocketAddr, HandshakeRefusal>,
    patience: Duration,
    /// When it ends unless somebody is silent; known once the membership has named all.
    deadline: Option<Instant>,
    /// The owner was warned whom the search still waits for after the deadline.
    warned: bool,
}

/// What shows that somebody is at an address.
#[derive(Debug, Clone, Copy, Default)]
struct Signs {
    /// It announced itself, or connected to us.
    announced: bool,
    /// Whether it accepted the last connection; unknown until an attempt has ended.
    accepts: Option<bool>,
}

impl Signs {
    fn is_there(self) -> bool {
        self.announced || self.accepts == Some(true)
    }

    fn may_be_there(self) -> bool {
        self.announced || self.accepts != Some(false)
    }
}

impl Search {
    pub(crate) fn new(patience: Duration) -> Self {
        let (awaited, strangers) = (BTreeMap::new(), BTreeMap::new());
        Self { awaited, strangers, patience, deadline: None, warned: false }
    }

    /// An address that has not answered yet was named; `announced` if somebody spoke from there.
    pub(crate) fn sighted(&mut self, address: SocketAddr, announced: bool) {
        if let Some(signs) = self.awaited.get_mut(&address) {
            signs.announced |= announced;
        } else if self.deadline.is_none() && self.awaited.len() < AWAITED_MAX {
            self.awaited.insert(address, Signs { announced, accepts: None });
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

    /// Dialing the address brought no answer; it may have accepted the connection.
    pub(crate) fn unanswered(&mut self, address: SocketAddr, accepts: bool) {
        if let Some(signs) = self.awaited.get_mut(&address) {
            signs.accepts = Some(accepts);
        }
    }

    /// Somebody answered at the address, and no member of this cluster.
    pub(crate) fn stranger(&mut self, address: SocketAddr, cause: HandshakeRefusal) {
        if self.awaited.remove(&address).is_some() {
            self.strangers.insert(address, cause);
        }
    }

    pub(crate) fn awaits(&self, address: SocketAddr) -> bool {
        self.awaited.contains_key(&address)
    }

    /// When something is to be done though nothing happens.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        self.deadline.filter(|deadline| now < *deadline)
    }

    /// Whether it is over at `now`.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let nobody_there = || !self.awaited.values().copied().any(Signs::may_be_there);
        self.deadline.is_some_and(|deadline| self.awaited.is_empty() || (now >= deadline && nobody_there()))
    }

    /// After the deadline, once: the addresses where somebody is and says nothing.
    pub(crate) fn silent(&mut self, now: Instant) -> Option<Vec<SocketAddr>> {
        let is_late = self.deadline.is_some_and(|deadline| now >= deadline);
        if self.warned || !is_late || !self.awaited.values().copied().any(Signs::is_there) {
            return None;
        }
        self.warned = true;
        let silent = self.awaited.iter().filter(|(_, signs)| signs.may_be_there());
        Some(silent.map(|(address, _)| *address).collect())
    }

    /// The addresses that stayed silent, and those where strangers answered.
    pub(crate) fn into_findings(self) -> (Vec<SocketAddr>, Vec<(SocketAddr, HandshakeRefusal)>) {
        (self.awaited.into_keys().collect(), self.strangers.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3);

    fn addresses<const N: usize>() -> [SocketAddr; N] {
        std::array::from_fn(|port| SocketAddr::from(([127, 0, 0, 1], port as u16 + 1)))
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_all_settled_or_time_ran_out() {
        let now = Instant::now();
        let [a, b, c] = addresses();
        let mut search = Search::new(PATIENCE);
        assert!(!search.is_over(now), "nothing was named yet");
        for address in [a, b, c] {
            search.sighted(address, false);
        }
        search.all_named(now);
        search.settled(a);
        search.stranger(c, HandshakeRefusal::Untrusted);
        search.unanswered(b, false);
        assert!(!search.is_over(now) && search.awaits(b));
        assert!(search.is_over(now + PATIENCE));
        assert_eq!(search.silent(now + PATIENCE), None);
        assert_eq!(search.into_findings(), (vec![b], vec![(c, HandshakeRefusal::Untrusted)]));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_there_and_says_nothing_is_waited_for() {
        let (now, late) = (Instant::now(), Instant::now() + PATIENCE * 100);
        let [accepts, announced, neither] = addresses();
        let mut search = Search::new(PATIENCE);
        for address in [accepts, announced, neither] {
            search.sighted(address, address == announced);
        }
        search.all_named(now);
        search.unanswered(accepts, true);
        search.unanswered(announced, false);
        assert_eq!(search.silent(now), None, "there is time");
        search.unanswered(neither, false);
        assert_eq!(search.silent(late), Some(vec![accepts, announced]));
        assert_eq!((search.silent(late), search.due(late)), (None, None), "warned once");
        search.settled(announced);
        assert!(!search.is_over(late));
        search.unanswered(accepts, false);
        assert!(search.is_over(late), "it accepts connections no more");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_has_not_ended_is_waited_for() {
        let (now, late) = (Instant::now(), Instant::now() + PATIENCE);
        let [address] = addresses();
        let mut search = Search::new(PATIENCE);
        search.sighted(address, false);
        search.all_named(now);
        assert!(!search.is_over(late));
        assert_eq!(search.silent(late), None, "nobody is known to be there");
        search.unanswered(address, false);
        assert!(search.is_over(late));
    }
}
