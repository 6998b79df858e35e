//! What every task of one group shares.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::config::ChannelOptions;
use crate::contact::Contacts;
use crate::counters::Counts;
use crate::event::Event;
use crate::identity::Identity;
use crate::strangers::Strangers;
use crate::tls::Trust;

/// This node, as its own tasks see it.
#[derive(Debug)]
pub(crate) struct GroupState {
    pub(crate) identity: Identity,
    pub(crate) options: ChannelOptions,
    /// None: `insecure = true`. Exchanged when the cluster's secrets are.
    pub(crate) trust: RwLock<Option<Arc<Trust>>>,
    pub(crate) contacts: Contacts,
    pub(crate) counts: Counts,
    pub(crate) strangers: Strangers,
    pub(crate) events: mpsc::Sender<Event>,
}

impl GroupState {
    /// How this node proves now that it is of the cluster.
    pub(crate) fn trust(&self) -> Option<Arc<Trust>> {
        self.trust.read().clone()
    }

    /// Hands an event to the owner, waiting while its queue is full. An owner that dropped the queue wants
    /// none.
    pub(crate) async fn tell(&self, event: Event) {
        let _ = self.events.send(event).await;
    }

    /// Sets what every connection of the group needs: no delay for small writes, and a way to notice a
    /// machine that vanished.
    pub(crate) fn prepare(&self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let keep_alive = socket2::TcpKeepalive::new()
            .with_time(self.options.keep_alive)
            .with_interval((self.options.keep_alive / 3).max(Duration::from_secs(1)));
        socket2::SockRef::from(stream).set_tcp_keepalive(&keep_alive)
    }

    pub(crate) fn is_own(&self, address: SocketAddr) -> bool {
        address == self.identity.advertise
    }
}
