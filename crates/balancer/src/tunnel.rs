//! A websocket after its handshake: bytes both ways, not looked at.

use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;

use crate::activity::Activity;
use crate::backend::ActiveRequest;
use crate::relay::relay;

/// Both sides of a connection that is changing its protocol.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) client: OnUpgrade,
    pub(crate) node: OnUpgrade,
    /// It is at its node until it ends.
    pub(crate) active: ActiveRequest,
}

/// Where a client's connection finds the tunnel that its last request asked for.
#[derive(Debug, Default)]
pub(crate) struct PendingTunnel(Mutex<Option<Tunnel>>);

impl PendingTunnel {
    pub(crate) fn fill(&self, tunnel: Tunnel) {
        *self.0.lock() = Some(tunnel);
    }

    pub(crate) fn take(&self) -> Option<Tunnel> {
        self.0.lock().take()
    }
}

impl Tunnel {
    /// Carries bytes until both sides have ended, or none passes for `idle`.
    pub(crate) async fn run(self, activity: &Activity, idle: Duration) {
        let _active = self.active;
        let ended = async {
            let (client, node) = tokio::try_join!(self.client, self.node).map_err(std::io::Error::other)?;
            relay(&mut TokioIo::new(client), &mut TokioIo::new(node), activity, idle).await.1
        };
        if let Err(cause) = ended.await {
            tracing::debug!(%cause, "a websocket was cut");
        }
    }
}
