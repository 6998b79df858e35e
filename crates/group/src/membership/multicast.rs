//! Membership by multicast: every node announces itself to a group, and hears the others there.
//!
//! The socket mends itself: when sending or receiving fails, or this node no longer hears its own
//! announcements, it is opened anew and joins the group again.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

use super::{Heard, Local, Membership, NextSighting, Sighting};
use crate::warning_limit::WarningLimit;

/// No announcement is longer; the rest of a longer datagram is cut off, and it is dropped.
const DATAGRAM_LIMIT: usize = 1400;
/// The shortest time between two announcements.
const FREQUENCY_MIN: Duration = Duration::from_millis(10);
/// Once a member was met: silent intervals after which the first search ends, and the most that newly heard
/// nodes can make of them.
const SEARCH_INTERVALS: u32 = 2;
const SEARCH_INTERVALS_MAX: u32 = 10;
/// New addresses remembered during the first search.
const NEW_MAX: usize = 1024;
/// Intervals without hearing itself after which a node opens its socket anew, and the least such time.
const DEAF_INTERVALS: u32 = 8;
const DEAF_MIN: Duration = Duration::from_secs(2);
/// Longest pause between two attempts to open the socket.
const REOPEN_PAUSE_MAX: Duration = Duration::from_secs(2);

/// Where and how often a node announces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MulticastConfig {
    /// The group, IPv4 or IPv6; 228.0.0.4.
    pub group: IpAddr,
    /// Its port; 45564.
    pub port: u16,
    /// An address of the interface to use, of the same family; `0.0.0.0` and `::` leave the choice to the
    /// system.
    pub bind: IpAddr,
    /// How many routers an announcement may pass; 1 keeps it in the local network.
    pub ttl: u32,
    /// Time between two announcements; 500 ms, at least 10 ms.
    pub frequency: Duration,
    /// How long a node listens before it may conclude that it is the first one; the drop time, 3 s. In this
    /// time a member that lives is heard, even one whose announcements are late or lost.
    pub first_search: Duration,
}

impl Default for MulticastConfig {
    fn default() -> Self {
        Self {
            group: Ipv4Addr::new(228, 0, 0, 4).into(),
            port: 45564,
            bind: Ipv4Addr::UNSPECIFIED.into(),
            ttl: 1,
            frequency: Duration::from_millis(500),
            first_search: Duration::from_secs(3),
        }
    }
}

/// Announces this node to a multicast group and names the nodes heard there.
#[derive(Debug)]
pub struct Multicast {
    config: MulticastConfig,
    waiting: VecDeque<Sighting>,
    running: Option<Running>,
}

/// What there is from [`Membership::begin`] on.
#[derive(Debug)]
struct Running {
    local: Local,
    group: SocketAddr,
    socket: Option<UdpSocket>,
    announce: Interval,
    last_heard_itself: Instant,
    reopen_at: Instant,
    reopen_pause: Duration,
    first_search: Option<FirstSearch>,
    warning_limit: WarningLimit,
}

/// Ends two intervals after the last unknown node was heard, if a member was met by then. Announcements alone
/// prove nothing: they may be recorded ones. Without a member it ends when the time to listen is over.
#[derive(Debug)]
struct FirstSearch {
    known: HashSet<SocketAddr>,
    until: Instant,
    /// A node that met nobody listens until then.
    alone_at: Instant,
    at_most: Instant,
}

/// What happened first.
enum Turn {
    Announce,
    Datagram(io::Result<(usize, SocketAddr)>),
    Reopen,
    SearchOver,
}

impl Multicast {
    /// A membership that begins when its group starts.
    #[must_use]
    pub fn new(mut config: MulticastConfig) -> Self {
        config.frequency = config.frequency.max(FREQUENCY_MIN);
        Self { config, waiting: VecDeque::new(), running: None }
    }

    async fn turn(&mut self) {
        let Some(running) = &mut self.running else {
            // Before it begins there is nothing to see.
            return std::future::pending().await;
        };
        let mut datagram = [0; DATAGRAM_LIMIT];
        match running.next_turn(&mut datagram).await {
            Turn::Announce => running.announce(&self.config).await,
            Turn::Datagram(Ok((length, from))) => {
                let heard = running.hear(&datagram[..length], from, self.config.frequency);
                self.waiting.extend(heard.map(Sighting::Announced));
            }
            Turn::Datagram(Err(error)) => running.fail("receiving announcements", &error),
            Turn::Reopen => running.reopen(&self.config),
            Turn::SearchOver => {
                if !running.listens_on(self.config.frequency) {
                    running.first_search = None;
                    self.waiting.push_back(Sighting::AllNamed);
                }
            }
        }
    }
}

impl Membership for Multicast {
    fn begin(&mut self, local: Local) -> io::Result<()> {
        let frequency = self.config.frequency;
        let now = Instant::now();
        let mut announce = interval(frequency);
        announce.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.running = Some(Running {
            local,
            group: group_address(&self.config)?,
            socket: Some(open(&self.config)?),
            announce,
            last_heard_itself: now,
            reopen_at: now,
            reopen_pause: frequency,
            first_search: Some(FirstSearch {
                known: HashSet::new(),
                until: now + frequency * SEARCH_INTERVALS,
                alone_at: now + self.config.first_search,
                at_most: now + self.config.first_search.max(frequency * SEARCH_INTERVALS_MAX),
            }),
            warning_limit: WarningLimit::default(),
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

impl Running {
    async fn next_turn(&mut self, datagram: &mut [u8]) -> Turn {
        let searching = self.first_search.as_ref().map(|search| search.until);
        let receive = async {
            match &self.socket {
                Some(socket) => Turn::Datagram(socket.recv_from(datagram).await),
                None => {
                    sleep_until(self.reopen_at).await;
                    Turn::Reopen
                }
            }
        };
        // A flood of datagrams must not keep this node from announcing itself.
        tokio::select! {
            biased;
            _ = self.announce.tick() => Turn::Announce,
            () = sleep_until(searching.unwrap_or(self.reopen_at)), if searching.is_some() => Turn::SearchOver,
            turn = receive => turn,
        }
    }

    /// Whether the first search, whose time is over, goes on for an interval because no member was met.
    fn listens_on(&mut self, frequency: Duration) -> bool {
        let Some(search) = &mut self.first_search else { return false };
        let now = Instant::now();
        let goes_on = now < search.alone_at && !self.local.has_met();
        if goes_on {
            search.until = (now + frequency).min(search.alone_at);
        }
        goes_on
    }

    async fn announce(&mut self, config: &MulticastConfig) {
        let Some(socket) = &self.socket else { return };
        let sending = async { socket.send_to(&self.local.announcement()?, self.group).await };
        let sent =
            timeout(config.frequency, sending).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let counts = self.local.datagrams();
        match sent {
            Ok(_) => counts.sent.up(),
            Err(error) => {
                counts.send_failed.up();
                return self.fail("sending an announcement", &error);
            }
        }
        let deaf = (config.frequency * DEAF_INTERVALS).max(DEAF_MIN);
        if self.last_heard_itself.elapsed() > deaf {
            self.fail("hearing this node's own announcements", &io::ErrorKind::TimedOut.into());
        }
    }

    /// The address of an unlinked or known node, if that is what the datagram is.
    fn hear(&mut self, datagram: &[u8], from: SocketAddr, frequency: Duration) -> Option<SocketAddr> {
        match self.local.hear(datagram, from) {
            Heard::Dropped => None,
            Heard::Own => {
                self.last_heard_itself = Instant::now();
                self.reopen_pause = frequency;
                None
            }
            Heard::Member(address) => {
                if let Some(search) = &mut self.first_search {
                    search.heard(address, frequency);
                }
                Some(address)
            }
        }
    }

    /// Closes the socket; it is opened again after a pause that grows.
    fn fail(&mut self, doing: &str, error: &io::Error) {
        if let Some(times) = self.warning_limit.may_speak() {
            tracing::warn!(%error, times, group = %self.group, "{doing} failed; joining the multicast group anew");
        }
        self.socket = None;
        self.reopen_at = Instant::now() + self.reopen_pause;
        self.reopen_pause = (self.reopen_pause * 2).min(REOPEN_PAUSE_MAX);
    }

    fn reopen(&mut self, config: &MulticastConfig) {
        match open(config) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.last_heard_itself = Instant::now();
            }
            Err(error) => self.fail("joining the group", &error),
        }
    }
}

impl FirstSearch {
    fn heard(&mut self, address: SocketAddr, frequency: Duration) {
        if self.known.len() < NEW_MAX && self.known.insert(address) {
            self.until = (Instant::now() + frequency * SEARCH_INTERVALS).min(self.at_most);
        }
    }
}

fn open(config: &MulticastConfig) -> io::Result<UdpSocket> {
    let failed = |error: io::Error| {
        let at = format!("multicast group {} on the interface {}: {error}", config.group, config.bind);
        io::Error::new(error.kind(), at)
    };
    let group = group_address(config)?;
    let joined = match (group, config.bind) {
        (SocketAddr::V4(group), IpAddr::V4(bind)) => joined_v4(group, bind, config.ttl),
        (SocketAddr::V6(group), _) => joined_v6(group, config.ttl),
        (SocketAddr::V4(_), IpAddr::V6(_)) => return Err(families_differ(config)),
    };
    UdpSocket::from_std(joined.map_err(failed)?.into())
}

/// The group as datagrams are sent to it. An IPv6 one is bound to an interface by number.
fn group_address(config: &MulticastConfig) -> io::Result<SocketAddr> {
    if !config.group.is_multicast() {
        let problem = format!(
            "{} is no multicast address (224.0.0.0 to 239.255.255.255, ff00:: to ffff::)",
            config.group
        );
        return Err(invalid(problem));
    }
    if config.bind.is_multicast() {
        return Err(invalid(format!("{} is no address of an interface", config.bind)));
    }
    match (config.group, config.bind) {
        (IpAddr::V4(group), IpAddr::V4(_)) => Ok(SocketAddrV4::new(group, config.port).into()),
        (IpAddr::V6(group), IpAddr::V6(bind)) => {
            Ok(SocketAddrV6::new(group, config.port, 0, interface_of(bind)?).into())
        }
        _ => Err(families_differ(config)),
    }
}

fn families_differ(config: &MulticastConfig) -> io::Error {
    invalid(format!(
        "the group {} and the interface {} are not both IPv4 or both IPv6",
        config.group, config.bind
    ))
}

fn invalid(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}

/// The number of the interface that has this address; 0 leaves the choice to the system.
fn interface_of(address: Ipv6Addr) -> io::Result<u32> {
    if address.is_unspecified() {
        return Ok(0);
    }
    let interfaces = if_addrs::get_if_addrs()?;
    let found = interfaces.iter().find(|interface| interface.ip() == IpAddr::V6(address));
    let index = found.and_then(|interface| interface.index);
    index.ok_or_else(|| invalid(format!("no interface of this machine has the address {address}")))
}

fn joined_v4(group: SocketAddrV4, bind: Ipv4Addr, ttl: u32) -> io::Result<Socket> {
    let socket = shared_socket(Domain::IPV4)?;
    socket.bind(&SockAddr::from(receiving_address(group.into())))?;
    socket.join_multicast_v4(group.ip(), &bind)?;
    socket.set_multicast_if_v4(&bind)?;
    socket.set_multicast_loop_v4(true)?;
    socket.set_multicast_ttl_v4(ttl)?;
    Ok(socket)
}

fn joined_v6(group: SocketAddrV6, hops: u32) -> io::Result<Socket> {
    let socket = shared_socket(Domain::IPV6)?;
    socket.set_only_v6(true)?;
    socket.bind(&SockAddr::from(receiving_address(group.into())))?;
    socket.join_multicast_v6(group.ip(), group.scope_id())?;
    socket.set_multicast_if_v6(group.scope_id())?;
    socket.set_multicast_loop_v6(true)?;
    socket.set_multicast_hops_v6(hops)?;
    Ok(socket)
}

/// Several nodes of one machine hear the same group.
fn shared_socket(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    Ok(socket)
}

/// Bound to the group itself, a socket hears nothing else that comes to the port.
#[cfg(unix)]
fn receiving_address(group: SocketAddr) -> SocketAddr {
    group
}

/// Windows does not bind to a group: there other datagrams to the port are heard too, and dropped as foreign.
#[cfg(not(unix))]
fn receiving_address(mut group: SocketAddr) -> SocketAddr {
    group.set_ip(match group {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    });
    group
}
