//! Binds the port, takes clients, stops in order.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use sessile_http_server::{Admitted, Door};
use tokio::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::backend::Backend;
use crate::backend_pool::BackendPool;
use crate::client_connection::{Client, ProxyMode};
use crate::config::{BalancerConfig, BalancerConfigError, Protocol};
use crate::control::BackendControl;
use crate::health;
use crate::http_proxy::HttpProxy;
use crate::idle_connections::MAX_WORKERS;
use crate::settings::{Settings, SettingsError};
use crate::statistics::Statistics;
use crate::status::BackendMonitor;
use crate::tcp_proxy::TcpProxy;
use crate::udp_proxy::UdpProxy;
use crate::worker::Worker;

/// Longest wait for running requests and TCP connections when the balancer stops.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How often the files of certificates are looked at.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// A balancer that has its port and does not serve yet.
#[derive(Debug)]
pub struct Balancer {
    listener: Listener,
    local: SocketAddr,
    pool: Arc<BackendPool>,
    /// Nodes whose health nobody watches yet.
    unchecked: mpsc::Receiver<Arc<Backend>>,
    own: HeaderValue,
    /// Further runtimes that serve clients.
    others: Vec<Handle>,
    show_traffic: bool,
}

/// Where clients come in.
#[derive(Debug)]
enum Listener {
    Streams(TcpListener),
    Datagrams(Arc<UdpSocket>),
}

/// Why a balancer has no port.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A value of the configuration cannot be used.
    #[error(transparent)]
    Config(#[from] BalancerConfigError),
    /// A value of the configuration names a file or an address that cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The port could not be opened.
    #[error("listen = {listen:?}: {cause}; {}", remedy(cause))]
    Listen {
        /// The address as configured.
        listen: String,
        /// The error of the system.
        cause: std::io::Error,
    },
}

/// How a balancer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Client connections whose request had not ended within 10 s, or TCP connections that had not, and that
    /// were cut.
    pub unfinished: usize,
}

impl Balancer {
    /// Checks the configuration and opens the port. Clients can connect from now on; they are served by
    /// [`Balancer::run`].
    pub async fn bind(config: BalancerConfig) -> Result<Self, BindError> {
        config.validate()?;
        let statistics = Arc::new(Statistics::default());
        let settings = Settings::open(config.balance.clone(), &statistics.log, None)?;
        let failed = |cause| BindError::Listen { listen: config.balance.listen.clone(), cause };
        let listener =
            Listener::open(&config.balance.listen, config.balance.protocol).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let own = HeaderValue::from_str(&local.to_string())
            .map_err(|error| failed(std::io::Error::other(error)))?;
        let (pool, unchecked) = BackendPool::new(settings, &config.nodes, statistics);
        let (pool, others) = (Arc::new(pool), Vec::new());
        Ok(Self { listener, local, pool, unchecked, own, others, show_traffic: false })
    }

    /// Serves clients on these runtimes too, each client on the one that has the fewest. Where each runs on
    /// one thread, threads do not wake each other for a request. At most 64 have connections to nodes of
    /// their own.
    #[must_use]
    pub fn on(self, others: Vec<Handle>) -> Self {
        Self { others, ..self }
    }

    /// Writes all that passes between clients and the balancer to the log, at level `info`, what does not
    /// print as dots. That shows cookies and passwords.
    #[must_use]
    pub fn showing_traffic(self, show: bool) -> Self {
        Self { show_traffic: show, ..self }
    }

    /// The address that clients connect to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Shows the nodes, also while the balancer runs.
    pub fn monitor(&self) -> BackendMonitor {
        BackendMonitor::new(Arc::clone(&self.pool))
    }

    /// Changes the nodes, also while the balancer runs.
    pub fn control(&self) -> BackendControl {
        BackendControl::new(Arc::clone(&self.pool))
    }

    /// Serves until `shutdown` is ready; then takes no new client, lets running requests and TCP connections
    /// end within 10 s, and closes websockets. Dropping the future cuts everything at once.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Stopped {
        self.check_all().await;
        let (stop, stopping) = watch::channel(false);
        let workers = self.workers();
        let (mut clients, mut watches) = (JoinSet::new(), JoinSet::new());
        watches.spawn(renew_certificates(Arc::clone(&self.pool)));
        if let Listener::Datagrams(socket) = &self.listener {
            watches.spawn(UdpProxy::new(Arc::clone(&self.pool), Arc::clone(socket)).serve());
        }
        let mut shutdown = pin!(shutdown);
        // It goes on while other things happen: a client that waits for room would be lost with it.
        let mut next = Box::pin(next_client(&self.pool, &self.listener));
        loop {
            tokio::select! {
                (door, tcp, peer, admitted) = &mut next => {
                    next.set(next_client(&self.pool, &self.listener));
                    let (dump, stopping) = (self.show_traffic, stopping.clone());
                    let client = Client { peer, admitted, door, dump, stopping };
                    let open = self.pool.statistics.connected();
                    if let Some(worker) = workers.iter().min_by_key(|worker| worker.clients()) {
                        worker.serve(&mut clients, tcp, move |mode, tcp| async move {
                            client.serve(tcp, &mode).await;
                            drop(open);
                        });
                    }
                }
                Some(ended) = clients.join_next() => report_panic(ended),
                Some(node) = self.unchecked.recv() => {
                    watches.spawn(health::watch(Arc::clone(&self.pool), node));
                }
                Some(ended) = watches.join_next() => report_panic(ended),
                () = &mut shutdown => break,
            }
        }
        drop(next);
        drop((self.listener, watches));
        // Every client holds a receiver; without clients nobody needs to hear it.
        let _ = stop.send(true);
        let _ = timeout(STOP_GRACE, async {
            while let Some(ended) = clients.join_next().await {
                report_panic(ended);
            }
        })
        .await;
        let settings = self.pool.settings();
        if let Some(log) = &settings.log {
            log.flush();
        }
        Stopped { unfinished: clients.len() }
    }

    /// The runtime that this runs on, and the others.
    fn workers(&self) -> Vec<Worker> {
        let runtimes = std::iter::once(Handle::current()).chain(self.others.iter().cloned());
        let mode = |worker| match self.pool.settings().balance.protocol {
            Protocol::Http => {
                let (pool, own) = (Arc::clone(&self.pool), self.own.clone());
                ProxyMode::Http(Arc::new(HttpProxy { pool, own, worker }))
            }
            // Of datagrams no worker hears.
            Protocol::Tcp | Protocol::Udp => ProxyMode::Tcp(TcpProxy { pool: Arc::clone(&self.pool) }),
        };
        let each = runtimes.take(MAX_WORKERS).enumerate();
        each.map(|(number, runtime)| Worker::new(runtime, mode(number))).collect()
    }

    /// Checks every node once, so that the first client finds them known.
    async fn check_all(&self) {
        let nodes = self.pool.nodes();
        let first = nodes.iter().map(|node| health::check(&self.pool, node));
        futures_util::future::join_all(first).await;
    }
}

impl Listener {
    /// Opens the port at `host:port`. A host that nobody knows is [`std::io::ErrorKind::NotFound`].
    async fn open(address: &str, protocol: Protocol) -> std::io::Result<Self> {
        let unknown = |cause: std::io::Error| {
            std::io::Error::new(std::io::ErrorKind::NotFound, format!("the host is unknown: {cause}"))
        };
        let candidates: Vec<_> = lookup_host(address).await.map_err(unknown)?.collect();
        if protocol == Protocol::Udp {
            return Ok(Self::Datagrams(Arc::new(UdpSocket::bind(&candidates[..]).await?)));
        }
        TcpListener::bind(&candidates[..]).await.map(Self::Streams)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        match self {
            Self::Streams(listener) => listener.local_addr(),
            Self::Datagrams(socket) => socket.local_addr(),
        }
    }
}

/// The remedy for a port that could not be opened.
fn remedy(cause: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, NotFound, PermissionDenied};
    match cause.kind() {
        AddrInUse => "choose another port, or stop the program that has it",
        AddrNotAvailable | NotFound => "write an address of this machine, as 127.0.0.1 or 0.0.0.0",
        PermissionDenied => "choose a port above 1023, or give the program the right to open this one",
        _ => "choose another address",
    }
}

/// The next client, once there is room for it, and the door by which it comes in.
async fn next_client(
    pool: &BackendPool,
    listener: &Listener,
) -> (Arc<Door>, TcpStream, SocketAddr, Admitted) {
    let Listener::Streams(listener) = listener else { return std::future::pending().await };
    Door::next(|| Arc::clone(&pool.settings().door), listener).await
}

/// Reads the certificates again and again: what the files hold counts, not their times. An error is told
/// once.
async fn renew_certificates(pool: Arc<BackendPool>) {
    let mut told = Vec::new();
    loop {
        sleep(RENEWAL_PAUSE).await;
        let settings = pool.settings();
        let read = move || {
            let towards_clients = settings.door.tls().map(|tls| ("balance.tls", tls.reload()));
            let towards_nodes = settings.node_tls.as_ref().map(|tls| ("balance.node_tls", tls.reload()));
            [towards_clients, towards_nodes].into_iter().flatten().collect::<Vec<_>>()
        };
        // A panic has told of itself.
        let Ok(read) = tokio::task::spawn_blocking(read).await else { continue };
        for (table, read) in &read {
            match read {
                Ok(true) => tracing::info!("[{table}]: the certificates were renewed"),
                Err(error) if !told.contains(error) => {
                    tracing::error!(%error, "[{table}] {}: the certificates stay as they are", error.key);
                }
                Ok(false) | Err(_) => {}
            }
        }
        told = read.into_iter().filter_map(|(_, read)| read.err()).collect();
    }
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(cause) = ended {
        tracing::error!(%cause, "a client's connection or a health check ended in a panic of the balancer");
    }
}
