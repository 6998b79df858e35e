//! One TCP connection of a client: a node is found that takes it, then bytes pass both ways.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use sessile_http_server::{ClientInfo, Transport};
use tokio::time::Instant;

use crate::access_log::Entry;
use crate::backend::{ActiveRequest, Backend};
use crate::backend_pool::{BackendPool, Origin};
use crate::choice::BackendSet;
use crate::client_stream::ClientStream;
use crate::dial::{Opening, dial};
use crate::exchange::Exchange;
use crate::health;
use crate::relay::relay;
use crate::retry::AttemptError;
use crate::settings::Settings;

/// The state that all connections share.
#[derive(Debug)]
pub(crate) struct TcpProxy {
    pub(crate) pool: Arc<BackendPool>,
}

impl TcpProxy {
    /// Serves a client to its end. One that no node takes within the queue's wait is closed: there are no
    /// words that every protocol has.
    pub(crate) async fn serve(&self, mut client: ClientStream<Transport>, info: &ClientInfo) {
        let peer = info.address;
        let settings = self.pool.settings();
        let log = settings.log.as_ref();
        let entry = || Entry::new(peer.ip(), "TCP", "-", "-");
        let mut exchange = Exchange::begin(&self.pool.statistics, log, entry);
        let Some((active, mut server)) = self.connect(info, &settings).await else {
            tracing::warn!(%peer, "no node takes connections; the client's was closed");
            return;
        };
        let node = active.node();
        exchange.connected(&node.name);
        let activity = client.activity();
        let idle = settings.balance.idle_timeout;
        let (bytes, ended) = relay(&mut client, &mut server, &activity, idle).await;
        exchange.sent(bytes);
        match ended {
            Ok(()) => exchange.complete(),
            Err(cause) => tracing::debug!(%peer, node = %node.name, %cause, "a connection was cut"),
        }
    }

    /// Asks node after node, in rounds. Nothing was sent yet, so any other node is as good.
    async fn connect(&self, info: &ClientInfo, settings: &Settings) -> Option<(ActiveRequest, Transport)> {
        let peer = info.address;
        let queue = &settings.balance.queue;
        let (mut tried, mut again) = (BackendSet::default(), false);
        let mut waiting = None;
        loop {
            let origin = Origin { route: self.pool.route_of(peer.ip()), address: peer.ip() };
            if let Some(active) = self.pool.choose(tried, origin, settings) {
                let node = active.node();
                tried = tried.with(node.index);
                match self.attempt(node, settings.opening(node, Some(info)), again).await {
                    Ok(server) => {
                        self.pool.remember(peer.ip(), node);
                        return Some((active, server));
                    }
                    Err(failure) => health::report(&self.pool, node, &failure),
                }
                again = true;
                continue;
            }
            if waiting.is_none() {
                let room = self.pool.room.enter(queue.length as usize)?;
                waiting = Some((room, Instant::now() + queue.wait));
            }
            let (room, deadline) = waiting.take()?;
            if Instant::now() >= deadline {
                room.give_up();
                return None;
            }
            if !self.pool.is_full() {
                self.pool.recheck_all();
            }
            room.sleep().await;
            waiting = Some((room, deadline));
            tried = BackendSet::default();
        }
    }

    async fn attempt(
        &self,
        node: &Backend,
        opening: Opening<'_>,
        again: bool,
    ) -> Result<Transport, AttemptError> {
        node.counters.requests.fetch_add(1, Relaxed);
        node.counters.retries.fetch_add(u64::from(again), Relaxed);
        let connected = dial(&node.address, opening).await;
        if let Err(cause) = &connected {
            tracing::debug!(node = %node.name, %cause, "a node took no connection");
            node.counters.failed_connects.fetch_add(1, Relaxed);
            node.recheck.notify_one();
        }
        connected.map_err(AttemptError::NotConnected)
    }
}
