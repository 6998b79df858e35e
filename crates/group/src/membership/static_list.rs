//! Membership by a list that every node may share.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Local, Membership, NextSighting, Sighting};

/// How often the whole list is named again.
const ROUND: Duration = Duration::from_secs(1);
/// How long the addresses of a host name are believed.
const RESOLVED_FOR: Duration = Duration::from_secs(10);
/// Longest wait for a name server.
const RESOLVE_LIMIT: Duration = Duration::from_secs(2);
/// Most entries of a list.
const ENTRIES_MAX: usize = 256;
/// Most addresses taken from one host name.
const ADDRESSES_MAX: usize = 16;

/// Why a list of members cannot be used.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum StaticError {
    /// An entry that is no `host:port`.
    #[error(
        "{0:?} in the list of members is no \"host:port\", as in \"tc01.example:4001\" or \"[::1]:4001\""
    )]
    Entry(String),
    /// Too many entries.
    #[error("the list of members has {0} entries, more than {ENTRIES_MAX}")]
    Long(usize),
}

/// As [`Display`](std::fmt::Display): a `main` that returns it shows it so.
impl std::fmt::Debug for StaticError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Names the addresses of a list, again and again. The list may contain this node.
#[derive(Debug)]
pub struct Static {
    entries: Vec<Entry>,
    waiting: VecDeque<Sighting>,
    rounds: u64,
    next_round: Instant,
}

#[derive(Debug)]
struct Entry {
    text: String,
    addresses: Vec<SocketAddr>,
    /// When host names are to be asked for again; never for an IP address.
    expires: Option<Instant>,
}

impl Static {
    /// A list of `host:port`; host names are resolved, and resolved again while the group lives.
    ///
    /// # Errors
    /// An entry is malformed, or there are too many.
    pub fn new<S: AsRef<str>>(members: &[S]) -> Result<Self, StaticError> {
        if members.len() > ENTRIES_MAX {
            return Err(StaticError::Long(members.len()));
        }
        let entries = members.iter().map(|member| Entry::parse(member.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { entries, waiting: VecDeque::new(), rounds: 0, next_round: Instant::now() })
    }

    async fn round(&mut self) {
        tokio::time::sleep_until(self.next_round).await;
        for entry in &mut self.entries {
            entry.resolve().await;
            self.waiting.extend(entry.addresses.iter().copied().map(Sighting::Address));
        }
        if self.rounds == 0 {
            self.waiting.push_back(Sighting::AllNamed);
        }
        self.rounds += 1;
        self.next_round = Instant::now() + ROUND;
    }
}

impl Membership for Static {
    fn begin(&mut self, _local: Local) -> io::Result<()> {
        Ok(())
    }

    fn next(&mut self) -> NextSighting<'_> {
        Box::pin(async {
            loop {
                match self.waiting.pop_front() {
                    Some(sighting) => return sighting,
                    None => self.round().await,
                }
            }
        })
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, StaticError> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { text: text.to_owned(), addresses: vec![address], expires: None });
        }
        let valid = text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty()
                && !host.contains([':', ' ', '/'])
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if !valid {
            return Err(StaticError::Entry(text.to_owned()));
        }
        Ok(Self { text: text.to_owned(), addresses: Vec::new(), expires: Some(Instant::now()) })
    }

    /// Brings the addresses of a host name up to date; when that fails, the last ones stay.
    async fn resolve(&mut self) {
        let Some(expires) = &mut self.expires else { return };
        if Instant::now() < *expires {
            return;
        }
        *expires = Instant::now() + RESOLVED_FOR;
        match timeout(RESOLVE_LIMIT, tokio::net::lookup_host(&self.text)).await {
            Ok(Ok(found)) => self.addresses = found.take(ADDRESSES_MAX).collect(),
            Ok(Err(error)) => {
                tracing::warn!(member = self.text, %error, "the name of a listed member is not known");
            }
            Err(_) => {
                tracing::warn!(member = self.text, "the name server does not answer for a listed member")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_checked() {
        for good in ["127.0.0.1:4001", "[::1]:4001", "localhost:4001", "tc01.example:1"] {
            Static::new(&[good]).unwrap();
        }
        for bad in ["", "tc01", "tc01:", ":4001", "tc01:0", "::1:4001", "http://tc01:80", "tc01:70000"] {
            assert_eq!(Static::new(&[bad]).unwrap_err(), StaticError::Entry(bad.to_owned()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_named_once_then_again_and_again() {
        let address = |port| Sighting::Address(SocketAddr::from(([127, 0, 0, 1], port)));
        let mut list = Static::new(&["127.0.0.1:1", "127.0.0.1:2"]).unwrap();
        let mut seen = Vec::new();
        for _ in 0..7 {
            seen.push(list.next().await);
        }
        let round = [address(1), address(2)];
        assert_eq!(seen[..2], round);
        assert_eq!(seen[2], Sighting::AllNamed);
        assert_eq!([&seen[3..5], &seen[5..7]], [round, round]);
    }
}
