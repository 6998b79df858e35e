//! Binds the port, takes clients, stops in order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::{BalancerConfig, ConfigError};
use crate::connection::HEAD_BOUND;
use crate::fleet::Fleet;
use crate::health::{self, Checks};
use crate::monitor::Monitor;
use crate::proxy::Proxy;
use crate::sockets;
use crate::tunnel::TunnelSlot;

/// Most connections of clients; further ones wait in the system's queue.
const MAX_CLIENTS: usize = 10_000;
/// Longest wait for the head of a request, and thereby for the next request on an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for running requests when the balancer stops.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// Pause after a connection that could not be accepted, for example for want of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A balancer that has its port and does not serve yet.
#[derive(Debug)]
pub struct Balancer {
    listener: TcpListener,
    local: SocketAddr,
    proxy: Arc<Proxy>,
    checks: Checks,
}

/// Why a balancer has no port.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A value of the configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The port could not be opened.
    #[error("balance.listen = {listen:?}: {cause}; choose another port, or stop the program that has it")]
    Listen {
        /// The address as configured.
        listen: String,
        /// What the system says.
        cause: std::io::Error,
    },
}

/// How a balancer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Client connections whose request had not ended within 10 s and that were cut.
    pub unfinished: usize,
}

impl Balancer {
    /// Checks the configuration and opens the port. Clients can connect from now on; they are served by
    /// [`Balancer::run`].
    pub async fn bind(config: BalancerConfig) -> Result<Self, BindError> {
        config.validate()?;
        let failed = |cause| BindError::Listen { listen: config.balance.listen.clone(), cause };
        let listener = TcpListener::bind(&config.balance.listen).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let own = HeaderValue::from_str(&local.to_string())
            .map_err(|error| failed(std::io::Error::other(error)))?;
        let fleet = Arc::new(Fleet::new(&config));
        let checks = Checks { path: config.balance.health_path, interval: config.balance.health_interval };
        let proxy = Arc::new(Proxy { fleet, unsafe_paths: config.balance.unsafe_paths, own });
        Ok(Self { listener, local, proxy, checks })
    }

    /// The address that clients connect to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Shows the nodes, also while the balancer runs.
    pub fn monitor(&self) -> Monitor {
        Monitor::new(Arc::clone(&self.proxy.fleet))
    }

    /// Serves until `shutdown` is ready; then takes no new client, lets running requests end within 10 s, and
    /// closes websockets. Dropping the future cuts everything at once.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Stopped {
        let checks = self.start_checks().await;
        let slots = Arc::new(Semaphore::new(MAX_CLIENTS));
        let (stop, stopping) = watch::channel(false);
        let mut clients = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                (tcp, peer, slot) = next_client(&self.listener, &slots) => {
                    let client = serve(tcp, peer, Arc::clone(&self.proxy), stopping.clone());
                    clients.spawn(async move {
                        client.await;
                        drop(slot);
                    });
                }
                Some(ended) = clients.join_next() => report_panic(ended),
                () = &mut shutdown => break,
            }
        }
        drop((self.listener, checks));
        // Every client holds a receiver; without clients nobody needs to hear it.
        let _ = stop.send(true);
        let _ = timeout(STOP_GRACE, async {
            while let Some(ended) = clients.join_next().await {
                report_panic(ended);
            }
        })
        .await;
        Stopped { unfinished: clients.len() }
    }

    /// Asks every node once, so that the first client finds them known, then goes on in the background.
    async fn start_checks(&self) -> JoinSet<()> {
        let fleet = &self.proxy.fleet;
        let first = (0..fleet.nodes().len()).map(|index| health::check(fleet, index, &self.checks.path));
        futures_util::future::join_all(first).await;
        let watches = (0..fleet.nodes().len())
            .map(|index| health::watch(Arc::clone(fleet), index, self.checks.clone()));
        watches.collect()
    }
}

/// The next client, once there is room for it.
async fn next_client(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    if slots.available_permits() == 0 {
        tracing::warn!(clients = MAX_CLIENTS, "no room for another client connection; further ones wait");
    }
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => return (tcp, peer, slot),
            Err(cause) => {
                tracing::warn!(%cause, "a client's connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one client's connection to its end, and the websocket that it may become.
async fn serve(tcp: TcpStream, peer: SocketAddr, proxy: Arc<Proxy>, mut stopping: watch::Receiver<bool>) {
    sockets::prepare(&tcp);
    let slot = Arc::new(TunnelSlot::default());
    let service = service_fn(|request| {
        let (proxy, slot) = (Arc::clone(&proxy), Arc::clone(&slot));
        async move { Ok::<_, Infallible>(proxy.answer(request, peer.ip(), &slot).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_header_size(HEAD_BOUND)
            .max_buf_size(HEAD_BOUND)
            .serve_connection(TokioIo::new(tcp), service)
            .with_upgrades()
    );
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop_said(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(cause) = served {
        tracing::debug!(%peer, %cause, "a client's connection ended");
    }
    if let Some(tunnel) = slot.take() {
        tokio::select! {
            () = tunnel.run() => {}
            () = stop_said(&mut stopping) => {}
        }
    }
}

/// Ready once the balancer stops.
async fn stop_said(stopping: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop as well.
    let _ = stopping.wait_for(|stop| *stop).await;
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(cause) = ended {
        tracing::error!(%cause, "a client's connection ended in a panic of the balancer");
    }
}
