//! What a group is started with.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::error::GroupError;
use crate::identity::Identity;
use crate::secret::ClusterSecrets;

/// How many ports after the wanted one are tried with `next_free_port`.
const PORTS_TRIED: u16 = 100;

/// Everything that [`Group::start`](crate::Group::start) needs but the membership.
#[derive(Debug)]
pub struct GroupConfig {
    /// Who this node is.
    pub identity: Identity,
    /// The cluster's secrets. None means `insecure = true`: anybody who reaches a port can join and read.
    pub secrets: Option<ClusterSecrets>,
    /// Where other nodes connect to; see [`listen`].
    pub listener: TcpListener,
    /// Bounds and times of the connections.
    pub channel: ChannelOptions,
}

/// Bounds and times of the connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelOptions {
    /// Most bytes that wait for one process; 64 MiB. With further connections, a quarter is theirs.
    pub queue_bytes: usize,
    /// How many connections beside the first may be opened to each process that orders what comes over
    /// several ([`Identity::ORDERS_CONNECTIONS`]); at most [`CONNECTIONS_MAX`](crate::CONNECTIONS_MAX). 0.
    pub connections: usize,
    /// A further connection on which nothing was sent for so long is closed; 60 s.
    pub connection_idle: Duration,
    /// Idle time after which TCP asks whether the other machine is still there; 15 s.
    pub keep_alive: Duration,
    /// Longest wait for a connection; 2 s.
    pub connect_timeout: Duration,
    /// Longest wait for TLS and HELLO, on both sides; 3 s.
    pub handshake_timeout: Duration,
    /// How long the first search waits for addresses that neither answer nor refuse; the drop time, 3 s.
    pub search_timeout: Duration,
    /// Whether a refused connection proves that the process behind a lost link is gone; true. False for
    /// networks whose firewalls answer with resets.
    pub trust_refused: bool,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self {
            queue_bytes: 64 << 20,
            connections: 0,
            connection_idle: Duration::from_secs(60),
            keep_alive: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(2),
            handshake_timeout: Duration::from_secs(3),
            search_timeout: Duration::from_secs(3),
            trust_refused: true,
        }
    }
}

/// Binds `address` for incoming connections, or with `next_free_port` the first free port after it. Bind
/// first, then advertise the port that was found.
///
/// # Errors
/// [`GroupError::Listen`] with the system's reason.
pub async fn listen(address: SocketAddr, next_free_port: bool) -> Result<TcpListener, GroupError> {
    let tried = if next_free_port { PORTS_TRIED } else { 1 };
    let last = address.port().saturating_add(tried - 1);
    let mut failure = None;
    for port in address.port()..=last {
        match TcpListener::bind(SocketAddr::new(address.ip(), port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let source = failure.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
    Err(GroupError::Listen { address, source })
}
