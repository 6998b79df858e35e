//! One TCP connection of a client: a node is found that takes it, then bytes pass both ways.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::backend::Backend;
use crate::backend_pool::BackendPool;
use crate::choice::BackendSet;
use crate::client_stream::ClientStream;
use crate::dial::dial;
use crate::dispatch::{NO_NODE_WAIT, ROUND_PAUSE};
use crate::health;
use crate::relay::relay;
use crate::retry::AttemptError;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct TcpProxy {
    pub(crate) pool: Arc<BackendPool>,
    pub(crate) idle: Duration,
}

impl TcpProxy {
    /// Serves a client to its end. One that no node takes within [`NO_NODE_WAIT`] is closed: there are no
    /// words that every protocol has.
    pub(crate) async fn serve(&self, mut client: ClientStream, peer: SocketAddr) {
        let Some((node, mut server)) = self.connect(peer).await else {
            tracing::warn!(%peer, "no node takes connections; the client's was closed");
            return;
        };
        let _active = node.begin_request();
        let activity = client.activity();
        if let Err(cause) = relay(&mut client, &mut server, &activity, self.idle).await {
            tracing::debug!(%peer, node = %node.name, %cause, "a connection was cut");
        }
    }

    /// Asks node after node, in rounds. Nothing was sent yet, so any other node is as good.
    async fn connect(&self, peer: SocketAddr) -> Option<(Arc<Backend>, TcpStream)> {
        let give_up = Instant::now() + NO_NODE_WAIT;
        let (mut tried, mut again) = (BackendSet::default(), false);
        loop {
            match self.pool.choose_for(peer.ip(), tried) {
                Some(node) => {
                    tried = tried.with(node.index);
                    match self.attempt(&node, again).await {
                        Ok(server) => {
                            self.pool.remember(peer.ip(), &node);
                            return Some((node, server));
                        }
                        Err(failure) => health::report(&self.pool, &node, &failure),
                    }
                    again = true;
                }
                None if Instant::now() < give_up => {
                    self.pool.recheck_all();
                    sleep(ROUND_PAUSE).await;
                    tried = BackendSet::default();
                }
                None => return None,
            }
        }
    }

    async fn attempt(&self, node: &Backend, again: bool) -> Result<TcpStream, AttemptError> {
        node.counters.requests.fetch_add(1, Relaxed);
        node.counters.retries.fetch_add(u64::from(again), Relaxed);
        let connected = dial(&node.address).await;
        if let Err(cause) = &connected {
            tracing::debug!(node = %node.name, %cause, "a node took no connection");
            node.counters.failed_connects.fetch_add(1, Relaxed);
            node.recheck.notify_one();
        }
        connected.map_err(AttemptError::NotConnected)
    }
}
