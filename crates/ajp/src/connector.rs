//! The state that all connections of a port share.

use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use crate::body::AjpRequestBody;
use crate::connection::Connection;
use crate::error::ConnectionError;
use crate::packet::PacketReader;
use crate::secret::Secrets;

/// Most bytes of a packet, either way, its head of four bytes included. The web server must have the same:
/// `max_packet_size` of mod_jk, `ProxyIOBufferSize` of mod_proxy_ajp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketSize(usize);

impl PacketSize {
    /// The smallest, and what web servers use when nothing is said: 8192 bytes.
    pub const DEFAULT: Self = Self(8_192);
    /// The largest: 65,536 bytes.
    pub const MAX: Self = Self(65_536);

    /// A size in bytes; `None` unless it is within [`DEFAULT`](Self::DEFAULT) and [`MAX`](Self::MAX).
    #[must_use]
    pub fn new(bytes: usize) -> Option<Self> {
        (Self::DEFAULT.0..=Self::MAX.0).contains(&bytes).then_some(Self(bytes))
    }

    pub(crate) fn bytes(self) -> usize {
        self.0
    }
}

/// Serves AJP connections. Clones have the same secrets.
#[derive(Clone)]
pub struct Connector {
    pub(crate) secrets: Secrets,
    pub(crate) packet_size: PacketSize,
    pub(crate) is_available: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Connector {
    /// A connector. While `is_available` says no, CPings are not answered, so that a web server that sends
    /// them chooses another node; requests are served all the same.
    #[must_use]
    pub fn new(
        secrets: Secrets,
        packet_size: PacketSize,
        is_available: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { secrets, packet_size, is_available: Arc::new(is_available) }
    }

    /// Serves one connection, one request after the other, until the peer closes it or `stop` is ready. A
    /// request that runs when `stop` is ready is completed.
    ///
    /// A response with `Connection: close` ends the connection. The service runs within this future; a panic
    /// of it is a panic of this.
    ///
    /// # Errors
    /// The peer breaks the protocol or the connection, is refused, or the service does not complete its
    /// response. The peer was told what could be told; the connection is to be dropped.
    pub async fn serve<S, B>(
        &self,
        connection: impl AsyncRead + AsyncWrite,
        service: S,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ConnectionError>
    where
        S: Service<Request<AjpRequestBody>, Response = Response<B>, Error = Infallible>,
        B: Body<Error: fmt::Display>,
    {
        let (reader, writer) = tokio::io::split(connection);
        let packet_size = self.packet_size.bytes();
        let reader = PacketReader::new(reader, packet_size);
        let (secrets, is_available) = (&self.secrets, &*self.is_available);
        // Pinned here, for connections that may not be moved.
        let connection = Connection { secrets, packet_size, is_available, reader, writer };
        connection.serve(service, pin!(stop)).await
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("packet_size", &self.packet_size.0).finish_non_exhaustive()
    }
}
