//! What is wrong between this node and the others: tried from here, without a node that runs, and without
//! joining.

mod diagnosis;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use sessile_config::{Config, HostPort, MembershipKind};
use sessile_group::{ChannelOptions, ClusterSecrets, Datagrams, Identity, Probe, probe, sightings};
use tokio::task::JoinSet;

use crate::error::JoinError;
use crate::settings_check::SettingsCheck;
use crate::{find, start};
use diagnosis::Diagnosis;

/// Most addresses that are tried.
const ADDRESSES_MAX: usize = 256;
/// Announcements are listened for during so many intervals, and never for less.
const LISTEN_INTERVALS: u32 = 6;
const LISTEN_MIN: Duration = Duration::from_secs(2);
/// Longest wait for the answers of a name server.
const NAMES_LIMIT: Duration = Duration::from_secs(10);

/// One thing that is wrong, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoctorFinding {
    /// A word for programs, such as `port_closed`.
    pub cause: &'static str,
    /// What it is about: an address, a name, a group.
    pub subject: String,
    /// What was seen.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// What was seen from here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DoctorReport {
    /// The members that answered, as name and address.
    pub met: Vec<(String, SocketAddr)>,
    /// What is wrong, in the order in which it was found.
    pub findings: Vec<DoctorFinding>,
}

/// Tries to find and to reach the other nodes as the node that `config` describes would, and these addresses
/// too.
///
/// # Errors
/// There is no usable secret, or the node's own address leads nowhere.
pub async fn examine(config: &Config, further: &[HostPort]) -> Result<DoctorReport, JoinError> {
    let secrets = start::secrets(config)?;
    let own = start::advertised(config, config.receiver.listen).await?;
    let identity = start::identity(config, start::random_incarnation()?, own);
    let mut diagnosis = Diagnosis::new(config, own, secrets.as_ref());
    let mut addresses = resolve(further, &mut diagnosis).await;
    let heard = look_around(config, &identity, secrets.as_ref(), &mut diagnosis, &mut addresses).await;
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(ADDRESSES_MAX);
    for (address, seen) in try_all(&identity, secrets.as_ref(), addresses).await? {
        let elsewhere = diagnosis.saw(address, seen);
        if let Some(elsewhere) = elsewhere {
            let seen = probe(&identity, secrets.as_ref(), elsewhere, &ChannelOptions::default()).await?;
            diagnosis.saw_advertised(address, elsewhere, &seen);
        }
    }
    if let Some((datagrams, named)) = heard {
        diagnosis.heard(datagrams, named);
    }
    Ok(diagnosis.report)
}

/// Adds the addresses that the configured membership names. Of multicast, what was heard and how many were
/// named.
async fn look_around(
    config: &Config,
    identity: &Identity,
    secrets: Option<&ClusterSecrets>,
    diagnosis: &mut Diagnosis<'_>,
    addresses: &mut Vec<SocketAddr>,
) -> Option<(Datagrams, usize)> {
    let membership = &config.membership;
    let at_most = match membership.kind {
        MembershipKind::Static => {
            addresses.extend(resolve(&membership.members, diagnosis).await);
            return None;
        }
        // The port for gossip is in use where the node runs, so its seeds are asked by TCP.
        MembershipKind::Swim => {
            addresses.extend(resolve(&membership.seeds, diagnosis).await);
            return None;
        }
        MembershipKind::Multicast => (membership.frequency * LISTEN_INTERVALS).max(LISTEN_MIN),
        MembershipKind::Dns => NAMES_LIMIT,
    };
    let looked = match find::membership(config) {
        Ok(found) => sightings(found, identity, secrets, at_most).await.map_err(JoinError::from),
        Err(error) => Err(error),
    };
    match looked {
        Ok((seen, datagrams)) => {
            let named = seen.len();
            addresses.extend(seen);
            if membership.kind == MembershipKind::Multicast {
                return Some((datagrams, named));
            }
            if named == 0 {
                diagnosis.no_address();
            }
        }
        Err(error) => diagnosis.cannot_look(&error),
    }
    None
}

async fn resolve(names: &[HostPort], diagnosis: &mut Diagnosis<'_>) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for name in names.iter().take(ADDRESSES_MAX) {
        match tokio::net::lookup_host((name.host.as_str(), name.port)).await {
            Ok(addresses) => found.extend(addresses),
            Err(error) => diagnosis.unresolved(name, &error),
        }
    }
    found
}

/// All addresses at once: one that is silent costs the time of all.
async fn try_all(
    identity: &Identity,
    secrets: Option<&ClusterSecrets>,
    addresses: Vec<SocketAddr>,
) -> Result<Vec<(SocketAddr, Probe)>, JoinError> {
    let mut trying = JoinSet::new();
    for address in addresses {
        let (identity, secrets) = (identity.clone(), secrets.cloned());
        trying.spawn(async move {
            let seen = probe(&identity, secrets.as_ref(), address, &ChannelOptions::default()).await;
            (address, seen)
        });
    }
    let mut seen = Vec::new();
    while let Some(done) = trying.join_next().await {
        if let Ok((address, probed)) = done {
            seen.push((address, probed?));
        }
    }
    seen.sort_unstable_by_key(|(address, _)| *address);
    Ok(seen)
}

/// Whether `address` is one of this machine.
fn is_here(address: SocketAddr) -> bool {
    UdpSocket::bind((address.ip(), 0)).is_ok()
}

/// How this node and another one disagree.
fn disagreements(config: &Config, own: SocketAddr, peer: &sessile_group::Peer) -> Vec<String> {
    SettingsCheck::new(config, own).differences(peer)
}

#[cfg(test)]
mod tests;
