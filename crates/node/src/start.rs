//! From a configuration to what the core, the group and the keys are made of.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use sessile_core::{AckSet, Bounds, Incarnation, Settings, Timing};
use sessile_group::{
    Channel, ChannelOptions, ClusterSecrets, Event, Group, GroupConfig, Identity, Membership, NOTICE_LIMIT,
    SecretError, listen,
};
use tokio::sync::mpsc;

use super::dials::Dials;
use super::error::JoinError;
use super::find;
use super::seams::Seams;
use sessile_config::{self as config, Config, HostPort};

/// What this build can do beyond the first version.
const FEATURES: u64 = Identity::ORDERS_CONNECTIONS;

// Who dials no more than is accepted.
const _: () = assert!(config::Sender::POOL_MAX as usize == sessile_group::CONNECTIONS_MAX);

/// The cluster's secrets; `None` where the configuration does without.
pub(super) fn secrets(config: &Config) -> Result<Option<ClusterSecrets>, JoinError> {
    if config.cluster.insecure {
        return Ok(None);
    }
    let path = &config.cluster.secret_file;
    match ClusterSecrets::load(path) {
        Ok(secrets) => Ok(Some(secrets)),
        Err(SecretError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Err(JoinError::NoSecret { path: path.clone() })
        }
        Err(error) => Err(error.into()),
    }
}

/// What names this start of this process.
pub(super) fn random_incarnation() -> Result<Incarnation, JoinError> {
    getrandom::u32().map(Incarnation).map_err(|error| JoinError::Random(error.to_string()))
}

/// What the core is told once.
pub(super) fn node_settings(config: &Config, incarnation: Incarnation, ack_set: Arc<dyn AckSet>) -> Settings {
    let (membership, session) = (&config.membership, &config.session);
    // An application may allow itself more; its own layer keeps the others to theirs.
    let sessions = || config.apps.iter().map(|app| &app.session).chain([session]);
    let mut settings = Settings::new(incarnation, config.node.name.clone());
    settings.timing = Timing {
        heartbeat: membership.frequency,
        drop_time: membership.drop_time,
        ack_timeout: config.sender.ack_timeout,
        transfer_timeout: config.cluster.state_transfer_timeout,
    };
    settings.bounds = Bounds {
        max_active: session.max_active,
        max_attribute_bytes: sessions().map(|session| session.max_attribute_bytes).max().unwrap_or_default(),
        max_session_bytes: sessions().map(|session| session.max_session_bytes).max().unwrap_or_default(),
        max_table_bytes: session.max_table_bytes,
        max_unconfirmed_bytes: config.sender.queue_bytes,
    };
    settings.copies = config.cluster.copies;
    settings.ack = Dials::of(&config.sender).ack;
    settings.ack_set = ack_set;
    settings
}

/// Begins to look for the others: over the user's own channel, or by listening as the configuration says.
pub(super) async fn channel(
    config: &Config,
    seams: Seams,
    incarnation: Incarnation,
    secrets: Option<ClusterSecrets>,
) -> Result<(Box<dyn Channel>, SocketAddr, mpsc::Receiver<Event>), JoinError> {
    match (seams.channel, seams.membership) {
        (Some(_), Some(_)) => Err(JoinError::MembershipUnused),
        (Some(open), None) => {
            let address = advertised(config, config.receiver.listen).await?;
            let (channel, events) =
                open(identity(config, incarnation, address)).map_err(JoinError::Channel)?;
            Ok((channel, address, events))
        }
        (None, own) => {
            let membership = own.map_or_else(|| find::membership(config), Ok)?;
            let (group, address, events) = group(config, incarnation, secrets, membership).await?;
            Ok((Box::new(group), address, events))
        }
    }
}

/// Listens, and begins to look for the others.
async fn group(
    config: &Config,
    incarnation: Incarnation,
    secrets: Option<ClusterSecrets>,
    membership: Box<dyn Membership>,
) -> Result<(Group, SocketAddr, mpsc::Receiver<Event>), JoinError> {
    let listener = listen(config.receiver.listen, config.receiver.next_free_port).await?;
    let bound = listener
        .local_addr()
        .map_err(|source| sessile_group::GroupError::Listen { address: config.receiver.listen, source })?;
    let advertise = advertised(config, bound).await?;
    let channel = ChannelOptions {
        queue_bytes: config.sender.queue_bytes,
        connections: Dials::of(&config.sender).connections.count,
        connection_idle: config.sender.keep_alive,
        search_timeout: config.membership.drop_time,
        trust_refused: config.membership.trust_refused,
        ..ChannelOptions::default()
    };
    let identity = identity(config, incarnation, advertise);
    let group_config = GroupConfig { identity, secrets, listener, channel };
    let (group, events) = Group::start(group_config, membership).await?;
    Ok((group, advertise, events))
}

pub(super) fn identity(config: &Config, incarnation: Incarnation, advertise: SocketAddr) -> Identity {
    Identity {
        name: config.node.name.clone(),
        incarnation: incarnation.0,
        cluster: config.cluster.name.clone(),
        advertise,
        features: FEATURES,
        notice: config.notice(NOTICE_LIMIT),
    }
}

/// The address that others are told.
pub(super) async fn advertised(config: &Config, otherwise: SocketAddr) -> Result<SocketAddr, JoinError> {
    match &config.receiver.advertise {
        Some(advertise) => resolve(advertise).await,
        None => Ok(otherwise),
    }
}

async fn resolve(advertise: &HostPort) -> Result<SocketAddr, JoinError> {
    let failed = |source| JoinError::Advertise { advertise: advertise.clone(), source };
    let mut found =
        tokio::net::lookup_host((advertise.host.as_str(), advertise.port)).await.map_err(failed)?;
    found.next().ok_or_else(|| failed(ErrorKind::NotFound.into()))
}
