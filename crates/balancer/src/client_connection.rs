//! One client's connection, from its beginning to its end or to the balancer's.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::backend_connection::HEAD_BOUND;
use crate::client_stream::ClientStream;
use crate::http_proxy::HttpProxy;
use crate::tcp_proxy::TcpProxy;
use crate::tunnel::PendingTunnel;

/// Longest wait for the head of a request, and thereby for the next request on an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// What carries the clients' words to the nodes.
#[derive(Debug)]
pub(crate) enum ProxyMode {
    Http(HttpProxy),
    Tcp(TcpProxy),
}

/// A client that has connected.
pub(crate) struct Client {
    stream: ClientStream,
    peer: SocketAddr,
    stopping: watch::Receiver<bool>,
}

impl Client {
    /// `stopping` becomes true when the balancer stops.
    pub(crate) fn new(tcp: TcpStream, peer: SocketAddr, dump: bool, stopping: watch::Receiver<bool>) -> Self {
        Self { stream: ClientStream::new(tcp, peer, dump), peer, stopping }
    }

    /// Serves it to its end. When the balancer stops, a running request ends, a websocket is closed, and a TCP
    /// connection goes on: only its two ends know when it has ended.
    pub(crate) async fn serve(self, mode: &ProxyMode) {
        match mode {
            ProxyMode::Http(proxy) => self.serve_http(proxy).await,
            ProxyMode::Tcp(tcp_proxy) => tcp_proxy.serve(self.stream, self.peer).await,
        }
    }

    /// Serves requests, and the websocket that the connection may become.
    async fn serve_http(mut self, proxy: &HttpProxy) {
        let (peer, activity, slot) = (self.peer, self.stream.activity(), Arc::new(PendingTunnel::default()));
        let service = service_fn(|request| {
            let slot = Arc::clone(&slot);
            async move { Ok::<_, Infallible>(proxy.answer(request, peer.ip(), &slot).await) }
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_header_size(HEAD_BOUND)
                .max_buf_size(HEAD_BOUND)
                .serve_connection(TokioIo::new(self.stream), service)
                .with_upgrades()
        );
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = stop_said(&mut self.stopping) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(cause) = served {
            tracing::debug!(%peer, %cause, "a client's connection ended");
        }
        if let Some(tunnel) = slot.take() {
            let idle = proxy.pool.settings().balance.idle_timeout;
            tokio::select! {
                () = tunnel.run(&activity, idle) => {}
                () = stop_said(&mut self.stopping) => {}
            }
        }
    }
}

/// Ready once the balancer stops.
async fn stop_said(stopping: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop as well.
    let _ = stopping.wait_for(|stop| *stop).await;
}
