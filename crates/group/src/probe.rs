//! Asks from outside what a node would meet: who answers at an address, and which addresses a membership
//! names. Nobody becomes a member by it, and no process learns of another.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::ChannelOptions;
use crate::contact::{Contacts, Room};
use crate::counters::{Counts, Datagrams};
use crate::error::GroupError;
use crate::group_state::GroupState;
use crate::handshake_refusal::HandshakeRefusal;
use crate::hello::{Hello, cause_of};
use crate::identity::{Identity, Peer};
use crate::membership::{Beacon, Local, Membership, Sighting};
use crate::secret::ClusterSecrets;
use crate::strangers::Strangers;
use crate::tls::{Trust, names_process};
use crate::wire::Wire;

/// Most addresses that are taken from a membership.
const SIGHTINGS_MAX: usize = 1024;

/// What is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A process of this cluster.
    Met(Peer),
    /// Nobody listens there.
    Closed,
    /// Nothing came back: a firewall, another network, a machine that is down.
    NoAnswer,
    /// The system has no way there.
    Unreachable(String),
    /// The connection was accepted, and nothing was said: a process that hangs, or another program.
    Mute,
    /// A process of a cluster with another secret.
    OtherSecret,
    /// A process with the same secret, of a cluster of another name.
    OtherCluster,
    /// Somebody who is no member, for another cause.
    Refused(HandshakeRefusal),
}

/// Looks who is at `address`, as the process `identity` would that has these secrets.
///
/// # Errors
/// No certificate can be made from the secrets.
pub async fn probe(
    identity: &Identity,
    secrets: Option<&ClusterSecrets>,
    address: SocketAddr,
    options: &ChannelOptions,
) -> Result<Probe, GroupError> {
    let trust = secrets.map(|secrets| Trust::new(secrets, identity)).transpose()?;
    let stream = match connect(address, options).await {
        Ok(stream) => stream,
        Err(seen) => return Ok(seen),
    };
    let asking = timeout(options.handshake_timeout, ask(identity, trust.as_ref(), stream, address));
    let seen = match asking.await.unwrap_or(Err(HandshakeRefusal::Silent)) {
        Ok(peer) => Probe::Met(peer),
        Err(HandshakeRefusal::Silent) => Probe::Mute,
        Err(HandshakeRefusal::Cluster) => Probe::OtherCluster,
        Err(HandshakeRefusal::Untrusted) => untrusted(secrets, address, options).await,
        Err(cause) => Probe::Refused(cause),
    };
    Ok(seen)
}

async fn connect(address: SocketAddr, options: &ChannelOptions) -> Result<TcpStream, Probe> {
    match timeout(options.connect_timeout, TcpStream::connect(address)).await {
        Err(_) => Err(Probe::NoAnswer),
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Err(Probe::Closed),
        Ok(Err(error)) if error.kind() == ErrorKind::TimedOut => Err(Probe::NoAnswer),
        Ok(Err(error)) => Err(Probe::Unreachable(error.to_string())),
        Ok(Ok(stream)) if stream.local_addr().ok() == Some(address) => Err(Probe::Closed),
        Ok(Ok(stream)) => Ok(stream),
    }
}

async fn ask(
    identity: &Identity,
    trust: Option<&Trust>,
    stream: TcpStream,
    address: SocketAddr,
) -> Result<Peer, HandshakeRefusal> {
    let mut wire = match trust {
        Some(trust) => trust.connect(stream).await.map_err(|error| cause_of(&error))?,
        None => Wire::Plain(stream),
    };
    Hello::of_probe(identity).write(&mut wire).await?;
    let hello = Hello::read(&mut wire).await?;
    if let Some(cause) = hello.refused() {
        return Err(cause);
    }
    if hello.cluster != identity.cluster {
        return Err(HandshakeRefusal::Cluster);
    }
    if !names_process(&wire, &hello.name, hello.incarnation) {
        return Err(HandshakeRefusal::Identity);
    }
    hello.peer(address)
}

/// Who is not trusted shows all the same which secret its certificate was made from.
async fn untrusted(secrets: Option<&ClusterSecrets>, address: SocketAddr, options: &ChannelOptions) -> Probe {
    let Ok(stream) = connect(address, options).await else {
        return Probe::Refused(HandshakeRefusal::Untrusted);
    };
    let shown =
        timeout(options.handshake_timeout, crate::tls::shown_certificate(stream)).await.ok().flatten();
    let Some(certificate) = shown.filter(crate::tls::is_of_a_member) else {
        return Probe::Refused(HandshakeRefusal::Malformed);
    };
    let ids = secrets.map(ClusterSecrets::ids).unwrap_or_default();
    if ids.iter().any(|id| crate::tls::is_made_from(&certificate, id)) {
        Probe::OtherCluster
    } else {
        Probe::OtherSecret
    }
}

/// The addresses that `membership` names within `at_most`, or until it has named all, and what became of its
/// datagrams.
///
/// # Errors
/// The membership cannot begin.
pub async fn sightings(
    mut membership: Box<dyn Membership>,
    identity: &Identity,
    secrets: Option<&ClusterSecrets>,
    at_most: Duration,
) -> Result<(Vec<SocketAddr>, Datagrams), GroupError> {
    let (events, _unread) = mpsc::channel(1);
    let node = Arc::new(GroupState {
        contacts: Contacts::new(Room { queue_bytes: 0, connections: 0 }),
        counts: Counts::default(),
        strangers: Strangers::default(),
        options: ChannelOptions::default(),
        identity: identity.clone(),
        trust: RwLock::new(None),
        events,
    });
    let beacon = Arc::new(Beacon::new(identity.clone(), secrets));
    membership.begin(Local::new(node.clone(), beacon)).map_err(GroupError::Membership)?;
    let until = Instant::now() + at_most;
    let mut seen = Vec::new();
    while let Ok(Sighting::Address(address) | Sighting::Announced(address)) =
        timeout_at(until, membership.next()).await
    {
        if !seen.contains(&address) && seen.len() < SIGHTINGS_MAX {
            seen.push(address);
        }
    }
    Ok((seen, node.counts.snapshot(Vec::new(), Vec::new()).datagrams))
}
