//! How two nodes meet: TLS, then HELLO and its answer. The same judgement on both sides.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::group_state::GroupState;
use crate::handshake_refusal::HandshakeRefusal;
use crate::hello::{Hello, cause_of};
use crate::identity::Peer;
use crate::inbound::Inbound;
use crate::tls::names_process;
use crate::wire::Wire;

/// Whom the dialing side met.
#[derive(Debug)]
pub(crate) enum Met {
    Member(Peer, Wire),
    /// This very process.
    Own,
}

/// Why dialing an address gave no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DialError {
    /// Nobody listens there.
    Closed,
    /// No connection, and no refusal: time ran out, or no route.
    Unreachable,
    /// The connection was accepted, and then nothing came, or it was closed in the middle of the handshake.
    Silent,
    /// Somebody answered, and one side will not have the other.
    Refused(HandshakeRefusal),
}

/// Connects to `address`, for one connection of a link, and finds out who is there.
pub(crate) async fn dial(
    node: &GroupState,
    address: SocketAddr,
    connection: usize,
) -> Result<Met, DialError> {
    let connecting = timeout(node.options.connect_timeout, TcpStream::connect(address));
    let stream = match connecting.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Err(DialError::Closed);
        }
        Ok(Err(_)) | Err(_) => return Err(DialError::Unreachable),
    };
    // On one machine, dialing a free port can by chance connect a socket with itself.
    if stream.local_addr().ok() == Some(address) {
        return Err(DialError::Closed);
    }
    let met = timeout(node.options.handshake_timeout, introduce(node, stream, address, connection)).await;
    met.unwrap_or(Err(HandshakeRefusal::Silent)).map_err(|cause| match cause {
        HandshakeRefusal::Silent => DialError::Silent,
        cause => DialError::Refused(cause),
    })
}

async fn introduce(
    node: &GroupState,
    stream: TcpStream,
    address: SocketAddr,
    connection: usize,
) -> Result<Met, HandshakeRefusal> {
    node.prepare(&stream).map_err(|error| cause_of(&error))?;
    let mut wire = match node.trust() {
        Some(trust) => trust.connect(stream).await.map_err(|error| cause_of(&error))?,
        None => Wire::Plain(stream),
    };
    Hello::of(&node.identity).on_connection(connection).write(&mut wire).await?;
    let hello = Hello::read(&mut wire).await?;
    if let Some(cause) = hello.refused() {
        return Err(cause);
    }
    judge(node, &hello, &wire)?;
    if hello.is_own(&node.identity) {
        return Ok(Met::Own);
    }
    Ok(Met::Member(stranger(node, &hello, address)?, wire))
}

/// The accepting side. None when this process dialed itself, or was only asked who it is.
pub(crate) async fn answer(
    node: Arc<GroupState>,
    stream: TcpStream,
    remote: SocketAddr,
) -> Result<Option<Inbound>, HandshakeRefusal> {
    let limit = node.options.handshake_timeout;
    timeout(limit, receive(node, stream, remote)).await.unwrap_or(Err(HandshakeRefusal::Silent))
}

async fn receive(
    node: Arc<GroupState>,
    stream: TcpStream,
    remote: SocketAddr,
) -> Result<Option<Inbound>, HandshakeRefusal> {
    node.prepare(&stream).map_err(|error| cause_of(&error))?;
    let mut wire = match node.trust() {
        Some(trust) => trust.accept(stream).await.map_err(|error| cause_of(&error))?,
        None => Wire::Plain(stream),
    };
    let hello = Hello::read(&mut wire).await?;
    let own = Hello::of(&node.identity);
    if hello.is_own(&node.identity) {
        own.write(&mut wire).await?;
        return Ok(None);
    }
    if hello.is_probe() {
        let answer = match judge(&node, &hello, &wire) {
            Ok(()) => own,
            Err(cause) => own.refusing(cause),
        };
        answer.write(&mut wire).await?;
        return Ok(None);
    }
    let admitted = judge(&node, &hello, &wire)
        .and_then(|()| stranger(&node, &hello, remote))
        .and_then(|peer| Ok((node.contacts.admit(&peer)?, hello.connection()?)));
    let (contact, connection) = match admitted {
        Ok(admitted) => admitted,
        Err(cause) => {
            own.refusing(cause).write(&mut wire).await?;
            return Err(cause);
        }
    };
    let mut inbound = Inbound::new(node, contact, connection, wire)?;
    own.write(inbound.wire()).await?;
    Ok(Some(inbound))
}

/// Whether the HELLO is of our cluster and says what the certificate says. Rule 9.2.
fn judge(node: &GroupState, hello: &Hello, wire: &Wire) -> Result<(), HandshakeRefusal> {
    if hello.cluster != node.identity.cluster {
        return Err(HandshakeRefusal::Cluster);
    }
    if names_process(wire, &hello.name, hello.incarnation) { Ok(()) } else { Err(HandshakeRefusal::Identity) }
}

/// The process behind a HELLO that is not our own.
fn stranger(node: &GroupState, hello: &Hello, from: SocketAddr) -> Result<Peer, HandshakeRefusal> {
    if hello.incarnation == node.identity.incarnation {
        return Err(HandshakeRefusal::Incarnation);
    }
    hello.peer(from)
}
