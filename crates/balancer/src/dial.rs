//! Connecting to a node.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::sockets;

/// Longest wait for a connection to a node.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Opens a connection to `host:port`, within [`CONNECT_TIMEOUT`]. A host that nobody knows is
/// [`io::ErrorKind::NotFound`].
pub(crate) async fn dial(address: &str) -> io::Result<TcpStream> {
    let silent = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer within 1 s");
    let tcp = timeout(CONNECT_TIMEOUT, connect(address)).await.map_err(silent)??;
    sockets::prepare(&tcp);
    Ok(tcp)
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
