//! Serves a router at an open port until it is stopped.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tower_service::Service;

use crate::cores::Cores;

/// Most connections at one port; further ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 10_000;
/// Longest wait for the head of a request, and thereby for the next request on an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of a request head, and of the read buffer.
const HEAD_BOUND: usize = 64 * 1024;
/// Pause after a failed accept, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A served port. Dropping it stops the server without waiting.
#[derive(Debug)]
pub(crate) struct Server {
    accepting: JoinHandle<()>,
    /// Each connection holds a receiver.
    stopping: watch::Sender<bool>,
    /// Connections that outlive the closed port run on these threads.
    _cores: Arc<Cores>,
}

impl Server {
    /// Serves `router` on the calling thread; requests carry the peer's address as [`ConnectInfo`].
    pub(crate) fn start(listener: TcpListener, router: Router) -> Self {
        Self::start_on(Cores::default(), listener, router)
    }

    /// The same on all of these threads.
    pub(crate) fn start_on(cores: Cores, listener: TcpListener, router: Router) -> Self {
        let (stopping, stop) = watch::channel(false);
        let cores = Arc::new(cores);
        let accepting = tokio::spawn(accept(Arc::clone(&cores), listener, router, stop));
        Self { accepting, stopping, _cores: cores }
    }

    /// Closes the port and waits for running requests; returns the number of connections that were still busy after
    /// `at_most` and are cut.
    pub(crate) async fn stop(self, at_most: Duration) -> usize {
        self.stopping.send_replace(true);
        if let Err(fault) = self.accepting.await {
            tracing::error!(%fault, "accepting connections ended in a panic");
        }
        // After the time limit the remaining connections are counted.
        let _ = timeout(at_most, self.stopping.closed()).await;
        self.stopping.receiver_count()
    }
}

async fn accept(cores: Arc<Cores>, listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let (tcp, peer, slot) = tokio::select! {
            connection = next_connection(&listener, &slots) => connection,
            () = stop_said(&mut stop) => return,
        };
        let (router, stop) = (router.clone(), stop.clone());
        cores.spawn(tcp, peer, move |tcp| async move {
            serve(tcp, peer, router, stop).await;
            drop(slot);
        });
    }
}

/// Accepts the next connection when a slot is free.
async fn next_connection(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    if slots.available_permits() == 0 {
        tracing::warn!(
            connections = MAX_CONNECTIONS,
            "the limit of connections is reached; further ones wait"
        );
    }
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => return (tcp, peer, slot),
            Err(cause) => {
                tracing::warn!(%cause, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection to its end.
async fn serve(tcp: TcpStream, peer: SocketAddr, router: Router, mut stop: watch::Receiver<bool>) {
    if let Err(cause) = tcp.set_nodelay(true) {
        // The failed option costs speed, not correctness.
        tracing::debug!(%peer, %cause, "a socket option was refused");
    }
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BOUND)
            .serve_connection(TokioIo::new(tcp), service)
            .with_upgrades()
    );
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop_said(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(cause) = served {
        tracing::debug!(%peer, %cause, "a connection ended");
    }
}

/// Ready when the server stops.
async fn stop_said(stop: &mut watch::Receiver<bool>) {
    // An error means that the server was dropped, which is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}
