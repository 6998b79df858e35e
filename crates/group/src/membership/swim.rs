//! Membership by gossip, after SWIM (Das et al. 2002), for tens to hundreds of nodes without multicast: each
//! node knows a few others, the seeds, and learns of all from them. A node asks one other node a second
//! whether it is there, itself and through others.
//!
//! The protocol is the crate foca's. What it believes only makes the group dial: a member is found, and lost,
//! by links and heartbeats as with every other membership. So a node that gossip takes for dead by mistake
//! costs nothing.

mod codec;
mod gossip;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Local, Membership, NextSighting, Sighting, Static, StaticError};
use crate::warning_limit::WarningLimit;
use gossip::Gossip;

/// No datagram is longer; the rest of a longer one is cut off, and it is dropped.
const DATAGRAM_LIMIT: usize = 1400;
/// The shortest `frequency`.
const FREQUENCY_MIN: Duration = Duration::from_millis(10);
/// How often all known addresses are named again.
const ROUND: Duration = Duration::from_secs(1);
/// Silent intervals after which the first search ends, and the most that newly heard nodes can make of them.
const SEARCH_INTERVALS: u32 = 4;
const SEARCH_INTERVALS_MAX: u32 = 20;
/// Addresses of seeds that wait to be asked.
const SEEDS_WAITING: usize = 64;

/// Where a node gossips, and whom it asks first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwimConfig {
    /// The UDP address to use. Port 0 stands for the port of the advertised address: nodes are reached by UDP
    /// and by TCP at the same address.
    pub bind: SocketAddr,
    /// `host:port` of nodes that are asked until they answer; this one may be among them. Two or three that
    /// are seldom down are enough.
    pub seeds: Vec<String>,
    /// Half of the time in which a node asks one other whether it is there; 500 ms, at least 10 ms.
    pub frequency: Duration,
}

/// Gossips with the other nodes, and names those that are there.
#[derive(Debug)]
pub struct Swim {
    config: SwimConfig,
    /// Taken when it begins.
    seeds: Option<Static>,
    waiting: VecDeque<Sighting>,
    running: Option<Running>,
}

/// What there is from [`Membership::begin`] on.
#[derive(Debug)]
struct Running {
    local: Local,
    socket: UdpSocket,
    gossip: Gossip,
    seeds: mpsc::Receiver<Sighting>,
    /// Resolves the seeds; ends with the membership.
    _resolving: JoinSet<()>,
    next_round: Instant,
    search: Option<FirstSearch>,
    frequency: Duration,
    warning: WarningLimit,
}

/// Ends some intervals after the last unknown node was heard of.
#[derive(Debug)]
struct FirstSearch {
    known: usize,
    /// Known once all seeds were named: until then this node has asked nobody.
    until: Option<Instant>,
    at_most: Instant,
}

/// What happened first.
enum Turn {
    Datagram(io::Result<(usize, SocketAddr)>),
    Seed(Sighting),
    Timer,
    Round,
    SearchOver,
}

impl Swim {
    /// A membership that begins when its group starts.
    ///
    /// # Errors
    /// A seed is malformed, or there are too many.
    pub fn new(mut config: SwimConfig) -> Result<Self, StaticError> {
        config.frequency = config.frequency.max(FREQUENCY_MIN);
        let seeds = Some(Static::new(&config.seeds)?);
        Ok(Self { config, seeds, waiting: VecDeque::new(), running: None })
    }

    async fn turn(&mut self) {
        let Some(running) = &mut self.running else {
            // Before it begins there is nothing to see.
            return std::future::pending().await;
        };
        let mut datagram = [0; DATAGRAM_LIMIT];
        let now = Instant::now();
        match running.next_turn(&mut datagram).await {
            Turn::Datagram(Ok((length, from))) => running.hear(&datagram[..length], from),
            Turn::Datagram(Err(error)) => running.complain("receiving gossip", &error),
            Turn::Seed(Sighting::Address(address) | Sighting::Announced(address)) => {
                self.waiting.push_back(Sighting::Address(address));
                running.gossip.ask_seed(address);
            }
            Turn::Seed(Sighting::AllNamed) => running.begin_search(),
            Turn::Timer => running.gossip.handle_due(now),
            Turn::Round => {
                running.next_round = Instant::now() + ROUND;
                self.waiting.extend(running.gossip.members().map(Sighting::Address));
            }
            Turn::SearchOver => {
                running.search = None;
                self.waiting.extend(running.gossip.members().map(Sighting::Address));
                self.waiting.push_back(Sighting::AllNamed);
            }
        }
        self.waiting.extend(running.gossip.take_new_members().map(Sighting::Address));
        running.send_all().await;
        running.extend_search();
    }
}

impl Membership for Swim {
    fn begin(&mut self, local: Local) -> io::Result<()> {
        let advertised = local.identity().advertise;
        if advertised.ip().is_unspecified() {
            let problem = "gossip tells others this node's address, and \"0.0.0.0\" is none: set `advertise` in [receiver], or \
                           let `listen` name an address";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let mut bind = self.config.bind;
        if bind.port() == 0 {
            bind.set_port(advertised.port());
        }
        let socket = std::net::UdpSocket::bind(bind).and_then(|socket| {
            socket.set_nonblocking(true)?;
            UdpSocket::from_std(socket)
        });
        let socket = socket.map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("UDP port {bind} for gossip: {error}; set another `listen` in [receiver]"),
            )
        })?;
        let (found, seeds) = mpsc::channel(SEEDS_WAITING);
        let mut resolving = JoinSet::new();
        if let Some(list) = self.seeds.take() {
            resolving.spawn(name_seeds(list, found));
        }
        let frequency = self.config.frequency;
        let now = Instant::now();
        let seed = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        self.running = Some(Running {
            gossip: Gossip::new(advertised, local.identity().incarnation, frequency, seed),
            local,
            socket,
            seeds,
            _resolving: resolving,
            next_round: now,
            search: Some(FirstSearch { known: 0, until: None, at_most: now }),
            frequency,
            warning: WarningLimit::default(),
        });
        Ok(())
    }

    fn next(&mut self) -> NextSighting<'_> {
        Box::pin(async {
            loop {
                match self.waiting.pop_front() {
                    Some(sighting) => return sighting,
                    None => self.turn().await,
                }
            }
        })
    }
}

/// Names the addresses of the seeds, every second.
async fn name_seeds(mut list: Static, found: mpsc::Sender<Sighting>) {
    while found.send(list.next().await).await.is_ok() {}
}

impl Running {
    async fn next_turn(&mut self, datagram: &mut [u8]) -> Turn {
        let timer = self.gossip.next_due();
        let search = self.search.as_ref().and_then(|search| search.until);
        // A flood of datagrams must not keep this node from asking and answering.
        tokio::select! {
            biased;
            () = sleep_until(timer.unwrap_or(self.next_round)), if timer.is_some() => Turn::Timer,
            () = sleep_until(self.next_round) => Turn::Round,
            () = sleep_until(search.unwrap_or(self.next_round)), if search.is_some() => Turn::SearchOver,
            Some(seed) = self.seeds.recv() => Turn::Seed(seed),
            received = self.socket.recv_from(datagram) => Turn::Datagram(received),
        }
    }

    fn hear(&mut self, datagram: &[u8], from: SocketAddr) {
        if let Some(content) = self.local.hear_gossip(datagram, from)
            && !self.gossip.hear(&content)
        {
            self.local.datagrams().malformed.up();
        }
    }

    async fn send_all(&mut self) {
        for (to, content) in self.gossip.take_datagrams() {
            let sending = async { self.socket.send_to(&self.local.seal_gossip(&content)?, to).await };
            let sent = timeout(self.frequency, sending)
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            match sent {
                Ok(_) => self.local.datagrams().sent.up(),
                Err(error) => {
                    self.local.datagrams().send_failed.up();
                    self.complain("sending gossip", &error);
                }
            }
        }
    }

    /// What a socket says of a port that is closed elsewhere is no trouble of this node.
    fn complain(&mut self, doing: &str, error: &io::Error) {
        if error.kind() != io::ErrorKind::ConnectionRefused
            && let Some(times) = self.warning.may_speak()
        {
            tracing::warn!(%error, times, "{doing} failed");
        }
    }

    /// All seeds were named and asked.
    fn begin_search(&mut self) {
        let Some(search) = &mut self.search else { return };
        let now = Instant::now();
        search.at_most = now + self.frequency * SEARCH_INTERVALS_MAX;
        search.until = Some(now + self.frequency * SEARCH_INTERVALS);
    }

    fn extend_search(&mut self) {
        let Some(FirstSearch { known, until: Some(until), at_most }) = &mut self.search else { return };
        let heard_of = self.gossip.members().count();
        if heard_of > *known {
            *known = heard_of;
            *until = (Instant::now() + self.frequency * SEARCH_INTERVALS).min(*at_most);
        }
    }
}
