//! Options of every TCP connection, to clients and to nodes.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// An idle connection is probed after this time, so that a peer that vanished without a word is noticed.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// A peer that takes no byte for this long has lost its connection (where the system can tell).
#[cfg(target_os = "linux")]
const STALL_LIMIT: Duration = Duration::from_secs(60);

/// Sets the options; one that the system refuses costs speed or time, never correctness, and is only
/// reported.
pub(crate) fn prepare(tcp: &TcpStream) {
    let socket = SockRef::from(tcp);
    let set = tcp
        .set_nodelay(true)
        .and_then(|()| socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE)))
        .and_then(|()| limit_stalls(&socket));
    if let Err(cause) = set {
        tracing::debug!(%cause, "a socket option was refused");
    }
}

#[cfg(target_os = "linux")]
fn limit_stalls(socket: &SockRef<'_>) -> std::io::Result<()> {
    socket.set_tcp_user_timeout(Some(STALL_LIMIT))
}

#[cfg(not(target_os = "linux"))]
fn limit_stalls(_: &SockRef<'_>) -> std::io::Result<()> {
    Ok(())
}
