//! Connecting to a node.

use std::io;
use std::time::Duration;

use sessile_http_server::proxy_protocol::{self, ProxyProtocol};
use sessile_http_server::tls::TlsClient;
use sessile_http_server::{ClientInfo, Transport};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::sockets;

/// Longest wait for a connection to a node.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest wait for the handshake of TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// With what a connection to a node begins.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Opening<'a> {
    pub(crate) tls: Option<&'a TlsClient>,
    pub(crate) proxy_protocol: Option<ProxyProtocol>,
    /// The client that a PROXY header names; `None`: the balancer speaks for itself.
    pub(crate) client: Option<&'a ClientInfo>,
}

/// Opens a connection to `host:port`, within [`CONNECT_TIMEOUT`]. A host that nobody knows is
/// [`io::ErrorKind::NotFound`].
pub(crate) async fn dial(address: &str, opening: Opening<'_>) -> io::Result<Transport> {
    let silent = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer within 1 s");
    let mut tcp = timeout(CONNECT_TIMEOUT, connect(address)).await.map_err(silent)??;
    sockets::prepare(&tcp);
    if let Some(version) = opening.proxy_protocol {
        let header = match opening.client {
            Some(client) => proxy_protocol::write(version, client.address, client.local, client.is_tls),
            None => proxy_protocol::write_local(version),
        };
        tcp.write_all(&header).await?;
    }
    let Some(tls) = opening.tls else { return Ok(Transport::Plain(tcp)) };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no TLS handshake within 3 s");
    timeout(HANDSHAKE_TIMEOUT, tls.connect(tcp, address)).await.map_err(late)?
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let unknown = |cause: io::Error| {
        io::Error::new(io::ErrorKind::NotFound, format!("the host of {address} is unknown: {cause}"))
    };
    let mut last = None;
    for candidate in lookup_host(address).await.map_err(unknown)? {
        match TcpStream::connect(candidate).await {
            Ok(tcp) => return Ok(tcp),
            Err(cause) => last = Some(cause),
        }
    }
    Err(last.unwrap_or_else(|| unknown(io::ErrorKind::AddrNotAvailable.into())))
}
