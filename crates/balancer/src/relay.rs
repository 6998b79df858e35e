//! Bytes both ways between a client and a node, not looked at: TCP connections, and websockets after their
//! handshake.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};

use crate::activity::Activity;

/// Most bytes that are under way in each direction of one connection.
const BUFFER: usize = 16 * 1024;

/// Carries bytes until both sides have ended. When one side ends, what the other still sends is carried on.
/// Tells how many bytes went to the client; an error when a connection breaks, or when no byte passes for
/// `idle`.
pub(crate) async fn relay(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    node: &mut (impl AsyncRead + AsyncWrite + Unpin),
    activity: &Activity,
    idle: Duration,
) -> (u64, io::Result<()>) {
    let before = activity.sent();
    let ended = tokio::select! {
        ended = copy_bidirectional_with_sizes(client, node, BUFFER, BUFFER) => ended.map(drop),
        () = activity.idle_for(idle) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no byte passed for {idle:?}")))
        }
    };
    (activity.sent() - before, ended)
}
