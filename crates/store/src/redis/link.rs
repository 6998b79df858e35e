//! The connection to the server or cluster: opened by the first call, reopened when lost.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    Client, ClientTlsConfig, Cmd, Pipeline, RedisError, RedisFuture, RedisResult, TlsCertificates, Value,
};
use tokio::sync::Mutex;

use super::RedisOptions;

/// One server, or a cluster.
enum ServerTarget {
    Server(Box<Client>),
    Cluster(Box<ClusterClient>),
}

enum LinkState {
    Idle,
    Connected(Connection),
    Closed,
}

pub(super) struct ServerLink {
    target: ServerTarget,
    timeout: Duration,
    place: String,
    state: Mutex<LinkState>,
}

/// A connection that many calls share.
#[derive(Clone)]
pub(super) enum Connection {
    Server(ConnectionManager),
    Cluster(ClusterConnection),
}

impl ServerLink {
    pub(super) fn new(options: &RedisOptions) -> RedisResult<Self> {
        let certificates = certificates(options)?;
        let first = options.urls.first().map_or("", String::as_str);
        let place = match Client::open(first)?.get_connection_info().addr().to_string() {
            first if options.urls.len() > 1 => format!("{first} and {} more", options.urls.len() - 1),
            first => first,
        };
        let target = if options.cluster {
            let mut builder = ClusterClient::builder(options.urls.iter().map(String::as_str))
                .connection_timeout(options.timeout)
                .response_timeout(options.timeout);
            if let Some(certificates) = certificates {
                builder = builder.certs(certificates);
            }
            ServerTarget::Cluster(Box::new(builder.build()?))
        } else {
            ServerTarget::Server(Box::new(match certificates {
                Some(certificates) => Client::build_with_tls(first, certificates)?,
                None => Client::open(first)?,
            }))
        };
        Ok(Self { target, timeout: options.timeout, place, state: Mutex::new(LinkState::Idle) })
    }

    /// The address, without any password.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The connection; `None` after it was closed.
    pub(super) async fn connection(&self) -> RedisResult<Option<Connection>> {
        let mut state = self.state.lock().await;
        match &*state {
            LinkState::Connected(connection) => return Ok(Some(connection.clone())),
            LinkState::Closed => return Ok(None),
            LinkState::Idle => {}
        }
        let connection = self.connect().await?;
        *state = LinkState::Connected(connection.clone());
        Ok(Some(connection))
    }

    pub(super) async fn close(&self) {
        *self.state.lock().await = LinkState::Closed;
    }

    async fn connect(&self) -> RedisResult<Connection> {
        match &self.target {
            ServerTarget::Server(client) => {
                let config = ConnectionManagerConfig::new()
                    .set_number_of_retries(1)
                    .set_connection_timeout(Some(self.timeout))
                    .set_response_timeout(Some(self.timeout));
                ConnectionManager::new_with_config(Client::clone(client), config)
                    .await
                    .map(Connection::Server)
            }
            ServerTarget::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

impl std::fmt::Debug for ServerLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServerLink({})", self.place)
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(commands, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

/// `None` if public authorities suffice.
fn certificates(options: &RedisOptions) -> RedisResult<Option<TlsCertificates>> {
    let root_cert = options.ca_file.as_deref().map(read).transpose()?;
    let client_tls = match &options.client_certificate {
        Some((certificate, key)) => {
            Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
        }
        None => None,
    };
    let wanted = root_cert.is_some() || client_tls.is_some();
    Ok(wanted.then_some(TlsCertificates { client_tls, root_cert }))
}

fn read(path: &Path) -> RedisResult<Vec<u8>> {
    fs::read(path).map_err(|error| {
        RedisError::from(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    })
}
