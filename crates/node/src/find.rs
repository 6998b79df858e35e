//! How a node finds the others, from `[membership]`.

use sessile_group::{Membership, Multicast, MulticastConfig, Static};

use super::error::JoinError;
use sessile_config::{Config, MembershipKind};

/// The membership that the configuration names.
pub(super) fn membership(config: &Config) -> Result<Box<dyn Membership>, JoinError> {
    let membership = &config.membership;
    match membership.kind {
        MembershipKind::Multicast => Ok(Box::new(Multicast::new(MulticastConfig {
            group: membership.address,
            port: membership.port,
            bind: membership.bind,
            ttl: membership.ttl.into(),
            frequency: membership.frequency,
            first_search: membership.drop_time,
        }))),
        MembershipKind::Static => {
            let members: Vec<String> = membership.members.iter().map(ToString::to_string).collect();
            Ok(Box::new(Static::new(&members)?))
        }
        MembershipKind::Dns => dns(config),
        MembershipKind::Swim => swim(config),
    }
}

#[cfg(feature = "dns")]
fn dns(config: &Config) -> Result<Box<dyn Membership>, JoinError> {
    let names = config.membership.names.clone();
    let dns =
        sessile_group::Dns::new(sessile_group::DnsConfig { names, resolver: config.membership.resolver });
    Ok(Box::new(dns.map_err(|error| JoinError::Names(error.to_string()))?))
}

#[cfg(not(feature = "dns"))]
fn dns(_: &Config) -> Result<Box<dyn Membership>, JoinError> {
    Err(JoinError::MembershipNotBuilt { kind: "dns" })
}

#[cfg(feature = "swim")]
fn swim(config: &Config) -> Result<Box<dyn Membership>, JoinError> {
    let (membership, receiver) = (&config.membership, &config.receiver);
    // Without `advertise` the port follows the one that is listened at, which may be a later one.
    let port = if receiver.advertise.is_some() { receiver.listen.port() } else { 0 };
    Ok(Box::new(sessile_group::Swim::new(sessile_group::SwimConfig {
        bind: std::net::SocketAddr::new(receiver.listen.ip(), port),
        seeds: membership.seeds.iter().map(ToString::to_string).collect(),
        frequency: membership.frequency,
    })?))
}

#[cfg(not(feature = "swim"))]
fn swim(_: &Config) -> Result<Box<dyn Membership>, JoinError> {
    Err(JoinError::MembershipNotBuilt { kind: "swim" })
}
