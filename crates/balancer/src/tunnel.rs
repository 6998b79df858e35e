//! A websocket after its handshake: bytes both ways, not looked at.

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;

/// Both sides of a connection that is changing its protocol.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) client: OnUpgrade,
    pub(crate) node: OnUpgrade,
}

/// Where a client's connection finds the tunnel that its last request asked for.
#[derive(Debug, Default)]
pub(crate) struct TunnelSlot(Mutex<Option<Tunnel>>);

impl TunnelSlot {
    pub(crate) fn fill(&self, tunnel: Tunnel) {
        *self.0.lock() = Some(tunnel);
    }

    pub(crate) fn take(&self) -> Option<Tunnel> {
        self.0.lock().take()
    }
}

impl Tunnel {
    /// Carries bytes until both sides have ended.
    pub(crate) async fn run(self) {
        let ended = async {
            let (client, node) = tokio::try_join!(self.client, self.node).map_err(std::io::Error::other)?;
            copy(client, node).await
        };
        if let Err(cause) = ended.await {
            tracing::debug!(%cause, "a websocket ended");
        }
    }
}

async fn copy(client: Upgraded, node: Upgraded) -> std::io::Result<()> {
    let (mut client, mut node) = (TokioIo::new(client), TokioIo::new(node));
    tokio::io::copy_bidirectional(&mut client, &mut node).await.map(|_| ())
}
