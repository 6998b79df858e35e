//! Datagrams both ways: the datagrams of one client address go to one node, and what that node answers goes
//! back to the client. A client is known for as long as datagrams pass.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::{UdpSocket, lookup_host};
use tokio::task::JoinSet;

use crate::access_log::Entry;
use crate::activity::Activity;
use crate::backend::{ActiveRequest, Backend};
use crate::backend_pool::{BackendPool, Origin};
use crate::choice::BackendSet;
use crate::exchange::Exchange;
use crate::health;
use crate::retry::AttemptError;

/// Most clients that are known at once. A further one takes the place of one that has been silent for long.
const MAX_CLIENTS: usize = 10_000;
/// Clients of which the longest silent one makes place.
const EVICTION_SAMPLE: usize = 16;
/// Longest silence after which a client is still known, where `idle_timeout` is longer: a datagram has no
/// end.
const IDLE_BOUND: Duration = Duration::from_secs(60);
/// Most bytes of a datagram.
const DATAGRAM_BOUND: usize = 65_535;

/// The state that all clients share.
#[derive(Debug)]
pub(crate) struct UdpProxy {
    pool: Arc<BackendPool>,
    socket: Arc<UdpSocket>,
    clients: HashMap<SocketAddr, Association>,
    /// Carry the answers; each ends with its client.
    answers: JoinSet<SocketAddr>,
}

/// A client and its node.
#[derive(Debug)]
struct Association {
    node: Arc<Backend>,
    socket: Arc<UdpSocket>,
    activity: Arc<Activity>,
    task: tokio::task::AbortHandle,
}

impl UdpProxy {
    pub(crate) fn new(pool: Arc<BackendPool>, socket: Arc<UdpSocket>) -> Self {
        Self { pool, socket, clients: HashMap::new(), answers: JoinSet::new() }
    }

    /// Serves clients for ever.
    pub(crate) async fn serve(mut self) {
        let mut datagram = vec![0; DATAGRAM_BOUND];
        loop {
            tokio::select! {
                received = self.socket.recv_from(&mut datagram) => match received {
                    Ok((length, client)) => self.forward(client, &datagram[..length]).await,
                    // An earlier answer found the client gone: that is no reason to end.
                    Err(cause) => tracing::debug!(%cause, "a datagram of a client was not received"),
                },
                Some(Ok(client)) = self.answers.join_next() => {
                    // A new association of this client may have taken its place.
                    if self.clients.get(&client).is_some_and(|known| known.task.is_finished()) {
                        self.clients.remove(&client);
                    }
                }
            }
        }
    }

    /// Sends a datagram to the client's node, or to another one that takes it.
    async fn forward(&mut self, client: SocketAddr, datagram: &[u8]) {
        if let Some(known) = self.clients.get(&client).filter(|known| !known.task.is_finished()) {
            known.activity.touch();
            match known.socket.send(datagram).await {
                Ok(_) => return,
                // An earlier datagram found the port closed.
                Err(cause) => health::report(&self.pool, &known.node, &AttemptError::NotConnected(cause)),
            }
            known.task.abort();
        }
        let mut tried = BackendSet::default();
        let settings = self.pool.settings();
        loop {
            let origin = Origin { route: self.pool.route_of(client.ip()), address: client.ip() };
            let Some(active) = self.pool.choose(tried, origin, &settings) else {
                // There are no words that every protocol has. A client that wants an answer sends again.
                tracing::debug!(%client, "no node takes datagrams; one was dropped");
                return;
            };
            let node = Arc::clone(active.node());
            tried = tried.with(node.index);
            node.counters.requests.fetch_add(1, Relaxed);
            match connect(&node.address).await {
                Ok(socket) if socket.send(datagram).await.is_ok() => {
                    self.pool.remember(client.ip(), &node);
                    self.associate(client, Arc::new(socket), active);
                    return;
                }
                Ok(_) => health::report(&self.pool, &node, &refused()),
                Err(cause) => health::report(&self.pool, &node, &AttemptError::NotConnected(cause)),
            }
            node.counters.failed_connects.fetch_add(1, Relaxed);
        }
    }

    fn associate(&mut self, client: SocketAddr, socket: Arc<UdpSocket>, active: ActiveRequest) {
        if self.clients.len() >= MAX_CLIENTS
            && let Some(silent) = self.longest_silent()
            && let Some(evicted) = self.clients.remove(&silent)
        {
            evicted.task.abort();
        }
        let settings = self.pool.settings();
        let entry = || Entry::new(client.ip(), "UDP", "-", "-");
        let mut exchange = Exchange::begin(&self.pool.statistics, settings.log.as_ref(), entry);
        let node = Arc::clone(active.node());
        exchange.connected(&node.name);
        let activity = Arc::new(Activity::new());
        let answering = Answering {
            pool: Arc::clone(&self.pool),
            to: Arc::clone(&self.socket),
            from: Arc::clone(&socket),
            client,
            activity: Arc::clone(&activity),
            active,
            exchange,
        };
        let idle = settings.balance.idle_timeout.min(IDLE_BOUND);
        let task = self.answers.spawn(answering.run(idle));
        self.clients.insert(client, Association { node, socket, activity, task });
    }

    /// Of some clients the one that has been silent for the longest time.
    fn longest_silent(&self) -> Option<SocketAddr> {
        let some = self.clients.iter().take(EVICTION_SAMPLE);
        some.max_by_key(|(_, known)| known.activity.silence()).map(|(client, _)| *client)
    }
}

/// Carries a node's answers to one client.
struct Answering {
    pool: Arc<BackendPool>,
    to: Arc<UdpSocket>,
    from: Arc<UdpSocket>,
    client: SocketAddr,
    activity: Arc<Activity>,
    active: ActiveRequest,
    exchange: Exchange,
}

impl Answering {
    /// Until no datagram has passed for `idle`, or the node's port is closed.
    async fn run(mut self, idle: Duration) -> SocketAddr {
        let activity = Arc::clone(&self.activity);
        let ended = tokio::select! {
            ended = self.carry() => ended,
            () = activity.idle_for(idle) => Ok(()),
        };
        match ended {
            Ok(()) => self.exchange.complete(),
            Err(cause) => health::report(&self.pool, self.active.node(), &AttemptError::NotConnected(cause)),
        }
        self.client
    }

    async fn carry(&mut self) -> io::Result<()> {
        loop {
            self.from.readable().await?;
            // On the stack, and only while nothing is waited for: 10,000 clients need no 10,000 buffers.
            let mut datagram = [0; DATAGRAM_BOUND];
            match self.from.try_recv(&mut datagram) {
                Ok(length) => {
                    // A datagram that the system does not take now is lost, as any datagram may be.
                    if self.to.try_send_to(&datagram[..length], self.client).is_ok() {
                        self.activity.add_sent(length);
                        self.exchange.sent(length as u64);
                    }
                }
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {}
                Err(cause) => return Err(cause),
            }
        }
    }
}

/// A socket for the datagrams of one client to a node.
async fn connect(address: &str) -> io::Result<UdpSocket> {
    let unknown = |cause: io::Error| {
        io::Error::new(io::ErrorKind::NotFound, format!("the host of {address} is unknown: {cause}"))
    };
    let mut found = lookup_host(address).await.map_err(unknown)?;
    let node = found.next().ok_or_else(|| unknown(io::ErrorKind::AddrNotAvailable.into()))?;
    let any = if node.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(node).await?;
    Ok(socket)
}

fn refused() -> AttemptError {
    AttemptError::NotConnected(io::ErrorKind::ConnectionRefused.into())
}
