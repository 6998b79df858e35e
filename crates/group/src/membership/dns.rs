//! Membership by the names of a name server: all addresses of a host name, or the services of an SRV name. A
//! headless service of Kubernetes is both.
//!
//! The answers are believed for their time to live. A name server that fails changes nothing: the last answer
//! stays.

mod question;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Resolver, TokioResolver};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Local, Membership, NextSighting, Sighting};
use crate::warning_limit::WarningLimit;
use question::{Answer, Question};

/// How often all known addresses are named again, and the shortest time between two equal questions.
const ROUND: Duration = Duration::from_secs(1);
/// A starting node asks again for so long before it believes that a name has no address at all: another node
/// that started at the same moment may not be known to the name server yet.
const EMPTY_PATIENCE: Duration = Duration::from_secs(6);
/// Longest wait for one name server, and how often it is asked.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// Most names.
const NAMES_MAX: usize = 32;
/// Most addresses taken from all names.
const ADDRESSES_MAX: usize = 1024;

/// Which names to ask for, and whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsConfig {
    /// `host:port` stands for all addresses (A and AAAA) of the host, with this port. A name without a port,
    /// as in `_replication._tcp.shop.example`, stands for its services (SRV).
    pub names: Vec<String>,
    /// The name server; `None`: those of the system.
    pub resolver: Option<SocketAddr>,
}

/// Why names cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// A name that is neither `host:port` nor an SRV name.
    #[error(
        "{0:?} is neither \"host:port\", as in \"shop.example:4001\", nor an SRV name, as in \
         \"_replication._tcp.shop.example\""
    )]
    Name(String),
    /// No name, or too many.
    #[error("{0} names are given; 1 to {NAMES_MAX} can be asked for")]
    Number(usize),
}

/// Names the addresses that a name server has for the names, again and again.
pub struct Dns {
    config: DnsConfig,
    questions: Vec<Question>,
    resolver: Option<TokioResolver>,
    waiting: VecDeque<Sighting>,
    next_round: Instant,
    /// When a starting node believes that there is no address; none once the first search was closed.
    search_until: Option<Instant>,
    failures: WarningLimit,
    empties: WarningLimit,
}

impl Dns {
    /// Checks the names; they are asked for once the group starts.
    ///
    /// # Errors
    /// A name is malformed, or there are too many.
    pub fn new(config: DnsConfig) -> Result<Self, DnsError> {
        if config.names.is_empty() || config.names.len() > NAMES_MAX {
            return Err(DnsError::Number(config.names.len()));
        }
        let mut questions = Vec::new();
        for name in &config.names {
            questions.extend(Question::of(name).ok_or_else(|| DnsError::Name(name.clone()))?);
        }
        Ok(Self {
            config,
            questions,
            resolver: None,
            waiting: VecDeque::new(),
            next_round: Instant::now(),
            search_until: None,
            failures: WarningLimit::default(),
            empties: WarningLimit::default(),
        })
    }

    async fn round(&mut self) {
        let Some(resolver) = self.resolver.clone() else {
            // Before it begins there is nothing to see.
            return std::future::pending().await;
        };
        tokio::time::sleep_until(self.next_round).await;
        self.ask_due(&resolver).await;
        let now = Instant::now();
        self.next_round = now + ROUND;
        let known: Vec<SocketAddr> =
            self.questions.iter().flat_map(|question| question.addresses()).take(ADDRESSES_MAX).collect();
        self.waiting.extend(known.iter().copied().map(Sighting::Address));
        if known.is_empty() && self.questions.iter().all(Question::is_answered) {
            self.complain_of_nothing();
        }
        self.conclude_search(now, known.is_empty());
    }

    /// Asks all questions whose answers are no longer believed, at once.
    async fn ask_due(&mut self, resolver: &TokioResolver) {
        let now = Instant::now();
        let mut asked = JoinSet::new();
        for (index, question) in self.questions.iter().enumerate() {
            if question.is_due(now) {
                let asking = question.ask(resolver.clone());
                asked.spawn(async move { (index, asking.await) });
            }
        }
        while let Some(done) = asked.join_next().await {
            match done {
                Ok((index, answer)) => self.answered(index, answer),
                Err(error) => {
                    tracing::error!(%error, "a question to the name server failed by a fault of this program")
                }
            }
        }
    }

    fn answered(&mut self, index: usize, answer: Answer) {
        let question = &mut self.questions[index];
        if let Answer::Failed(problem) = &answer
            && let Some(times) = self.failures.may_speak()
        {
            let last =
                if question.is_answered() { "the last answer stays" } else { "this node waits for it" };
            tracing::warn!(
                name = %question,
                times,
                "the name server does not answer ({problem}): {last}; see `resolver` in [membership]"
            );
        }
        question.take(answer, Instant::now());
    }

    fn complain_of_nothing(&mut self) {
        if let Some(times) = self.empties.may_speak() {
            let names = self.config.names.join(", ");
            tracing::warn!(
                times,
                "the name server knows no address of {names}: nobody is found by it; in Kubernetes a headless \
                 service needs `publishNotReadyAddresses: true`"
            );
        }
    }

    /// The first search is closed once every question was answered. A name server that says nothing keeps it
    /// open: a node that cannot ask does not know that it is alone.
    fn conclude_search(&mut self, now: Instant, knows_nothing: bool) {
        let Some(until) = self.search_until else { return };
        if !self.questions.iter().all(Question::is_answered) || (knows_nothing && now < until) {
            return;
        }
        self.search_until = None;
        self.waiting.push_back(Sighting::AllNamed);
    }

    fn build_resolver(&self) -> io::Result<TokioResolver> {
        let mut builder = match self.config.resolver {
            None => TokioResolver::builder_tokio().map_err(|error| {
                io::Error::other(format!(
                    "the system names no usable name server ({error}): set `resolver` in [membership]"
                ))
            })?,
            Some(address) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = address.port();
                    connection
                });
                let server = NameServerConfig::new(address.ip(), true, connections.into());
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                Resolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        // Answers are kept here, for as long as they say.
        options.cache_size = 0;
        options.timeout = ANSWER_LIMIT;
        options.attempts = ATTEMPTS;
        builder.build().map_err(io::Error::other)
    }
}

impl Membership for Dns {
    fn begin(&mut self, _local: Local) -> io::Result<()> {
        self.resolver = Some(self.build_resolver()?);
        self.next_round = Instant::now();
        self.search_until = Some(Instant::now() + EMPTY_PATIENCE);
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

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dns").field("config", &self.config).field("questions", &self.questions).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Result<Dns, DnsError> {
        Dns::new(DnsConfig { names: names.iter().map(|name| (*name).to_owned()).collect(), resolver: None })
    }

    #[test]
    fn names_are_checked() {
        for good in [
            "shop.example:4001",
            "shop:1",
            "_replication._tcp.shop.example",
            "_s._tcp.shop.svc.cluster.local.",
        ] {
            assert!(of(&[good]).is_ok(), "{good}");
        }
        for bad in [
            "",
            "shop",
            "shop.example",
            "shop:0",
            "shop:70000",
            ":4001",
            "_a._tcp.x:4001",
            "a b:1",
            "http://a:1",
        ] {
            assert_eq!(of(&[bad]).unwrap_err(), DnsError::Name(bad.to_owned()));
        }
        assert_eq!(of(&[]).unwrap_err(), DnsError::Number(0));
        assert_eq!(of(&["a:1"; NAMES_MAX + 1]).unwrap_err(), DnsError::Number(NAMES_MAX + 1));
    }
}
