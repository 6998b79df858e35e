//! One client's connection, from its beginning to its end or to the balancer's.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use sessile_http_server::{Admitted, Door, Entered, RequestBody};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::client_stream::ClientStream;
use crate::http_proxy::HttpProxy;
use crate::sockets;
use crate::tcp_proxy::TcpProxy;
use crate::tunnel::Tunnels;

/// One client's connection and its way to the nodes.
#[derive(Debug)]
pub(crate) enum ProxyMode {
    Http(Arc<HttpProxy>),
    Tcp(TcpProxy),
}

/// A client that has connected and was admitted.
pub(crate) struct Client {
    pub(crate) peer: SocketAddr,
    pub(crate) admitted: Admitted,
    pub(crate) door: Arc<Door>,
    /// Whether its traffic is shown.
    pub(crate) dump: bool,
    /// Becomes true when the balancer stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Client {
    /// Serves it to its end. When the balancer stops, a running request ends, a websocket is closed, and a
    /// TCP connection goes on: only its two ends know when it has ended.
    pub(crate) async fn serve(mut self, tcp: TcpStream, mode: &ProxyMode) {
        sockets::prepare(&tcp);
        let entered = tokio::select! {
            // On the heap, which is free again once the client is in.
            entered = Box::pin(self.door.enter(tcp, self.peer)) => entered,
            // It asked for nothing yet. An error means that the balancer is gone, which is a stop as well.
            _ = self.stopping.wait_for(|stop| *stop) => return,
        };
        let Entered { stream, client, is_http2 } = match entered {
            Ok(entered) => entered,
            Err(cause) => {
                tracing::debug!(peer = %self.peer, %cause, "a client was not let in");
                return;
            }
        };
        let stream = ClientStream::new(stream, client.address, self.dump);
        match mode {
            ProxyMode::Tcp(proxy) => {
                let _busy = self.admitted.busy();
                Box::pin(proxy.serve(stream, &client)).await;
            }
            ProxyMode::Http(proxy) => {
                let tunnels = Arc::new(Tunnels::new(client.address, self.stopping.clone()));
                let (proxy, theirs) = (Arc::clone(proxy), Arc::clone(&tunnels));
                let answer = move |request: Request<RequestBody>| {
                    let (proxy, tunnels) = (Arc::clone(&proxy), Arc::clone(&theirs));
                    async move { proxy.answer(request, &client, &tunnels).await }
                };
                let served = self.door.serve(stream, is_http2, &self.admitted, self.stopping, answer).await;
                if let Err(cause) = served {
                    tracing::debug!(peer = %self.peer, %cause, "a client's connection ended");
                }
                tunnels.finish().await;
            }
        }
    }
}
