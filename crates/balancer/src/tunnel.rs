//! A websocket after its handshake: bytes both ways, not looked at. In HTTP/1.1 it is the client's
//! connection, in HTTP/2 a stream of it.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use sessile_http_server::RequestInFlight;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::backend::ActiveRequest;
use crate::client_stream::ClientStream;
use crate::relay::relay;

/// Both sides of a connection that is changing its protocol.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) client: OnUpgrade,
    pub(crate) node: OnUpgrade,
    /// It is at its node until it ends.
    pub(crate) active: ActiveRequest,
    /// Its connection is busy until it ends.
    pub(crate) request: Option<RequestInFlight>,
}

/// The tunnels of one client's connection. They end with it.
#[derive(Debug)]
pub(crate) struct Tunnels {
    running: Mutex<JoinSet<()>>,
    stopping: watch::Receiver<bool>,
    peer: SocketAddr,
}

impl Tunnels {
    /// None yet; `stopping` becomes true when the balancer stops, which ends them.
    pub(crate) fn new(peer: SocketAddr, stopping: watch::Receiver<bool>) -> Self {
        Self { running: Mutex::default(), stopping, peer }
    }

    /// Carries the bytes of a tunnel until both sides have ended, or none passes for `idle`.
    pub(crate) fn start(&self, tunnel: Tunnel, idle: Duration) {
        let (mut stopping, peer) = (self.stopping.clone(), self.peer);
        let mut running = self.running.lock();
        // Ended tasks release their places.
        while running.try_join_next().is_some() {}
        running.spawn(async move {
            tokio::select! {
                () = tunnel.run(peer, idle) => {}
                // An error means that the balancer is gone, which is a stop as well.
                _ = stopping.wait_for(|stop| *stop) => {}
            }
        });
    }

    /// Waits for all of them.
    pub(crate) async fn finish(&self) {
        let mut running = std::mem::take(&mut *self.running.lock());
        while running.join_next().await.is_some() {}
    }
}

impl Tunnel {
    async fn run(self, peer: SocketAddr, idle: Duration) {
        let _busy = (self.active, self.request);
        let ended = async {
            let (client, node) = tokio::try_join!(self.client, self.node).map_err(std::io::Error::other)?;
            let mut client = ClientStream::new(TokioIo::new(client), peer, false);
            let activity = client.activity();
            relay(&mut client, &mut TokioIo::new(node), &activity, idle).await.1
        };
        if let Err(cause) = ended.await {
            tracing::debug!(%cause, "a websocket was cut");
        }
    }
}
