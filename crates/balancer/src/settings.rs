//! The settings of a running balancer: the values of `[balance]`, with the files that they name read. A
//! reload puts new ones in their place; each request goes by those that it found.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use sessile_http_server::tls::{TlsClient, TlsError, TlsServer};
use sessile_http_server::{ClientInfo, Door};

use crate::access_log::{AccessLog, LogCounts};
use crate::backend::Backend;
use crate::config::{BalanceConfig, Protocol};
use crate::dial::Opening;
use crate::error_response::{ErrorPageError, ErrorPages};

/// The values in force.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) balance: BalanceConfig,
    pub(crate) pages: ErrorPages,
    pub(crate) log: Option<Arc<AccessLog>>,
    /// Where clients come in.
    pub(crate) door: Arc<Door>,
    /// The TLS client for connections to nodes.
    pub(crate) node_tls: Option<Arc<TlsClient>>,
}

/// A value names a file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A page of the site.
    #[error(transparent)]
    Page(#[from] ErrorPageError),
    /// A certificate or a key.
    #[error("[{table}] {}: {error}", error.key)]
    Tls {
        /// The table of the configuration, as `balance.tls`.
        table: &'static str,
        /// The file, and what is wrong with it.
        error: TlsError,
    },
    /// The access log.
    #[error("[balance.access_log] file = {file:?}: {cause}; give a file that can be written, or `-`")]
    AccessLog {
        /// The file as configured.
        file: String,
        /// The error of the system.
        cause: std::io::Error,
    },
}

impl Settings {
    /// Reads and opens what valid values name. A log that `before` had open at the same place goes on.
    pub(crate) fn open(
        balance: BalanceConfig,
        counts: &Arc<LogCounts>,
        before: Option<&Self>,
    ) -> Result<Self, SettingsError> {
        let pages = ErrorPages::read(&balance.error_pages)?;
        let log = match (&balance.access_log, before) {
            (None, _) => None,
            (now, Some(before)) if *now == before.balance.access_log => {
                before.log.iter().for_each(|log| log.reopen());
                before.log.clone()
            }
            (Some(wanted), _) => {
                let failed =
                    |cause| SettingsError::AccessLog { file: wanted.file.display().to_string(), cause };
                let opened = AccessLog::open(Path::new(&wanted.file), wanted.format, Arc::clone(counts));
                Some(Arc::new(opened.map_err(failed)?))
            }
        };
        let door = door(&balance, before)?;
        let node_tls = node_tls(&balance, before)?;
        Ok(Self { balance, pages, log, door, node_tls })
    }

    /// How a connection to a node begins that is opened for this client; `None`: for the balancer itself.
    pub(crate) fn opening<'a>(&'a self, node: &Backend, client: Option<&'a ClientInfo>) -> Opening<'a> {
        Opening { tls: self.node_tls.as_deref(), proxy_protocol: node.proxy_protocol, client }
    }

    /// Whether a client at this address may read what was tried, and why not.
    pub(crate) fn is_operator(&self, client: IpAddr) -> bool {
        self.balance.operators.iter().any(|network| network.contains(client))
    }
}

/// The door of these values: that of before where nothing of it has changed, with its connections and
/// certificates.
fn door(balance: &BalanceConfig, before: Option<&Settings>) -> Result<Arc<Door>, SettingsError> {
    let concerns = |balance: &BalanceConfig| {
        let BalanceConfig { limits, idle_timeout, trusted_proxies, proxy_protocol, tls, .. } =
            balance.clone();
        (limits, idle_timeout, trusted_proxies, proxy_protocol, tls)
    };
    let (limits, idle, trusted, proxy_protocol, tls) = concerns(balance);
    let same = before.filter(|before| concerns(&before.balance) == concerns(balance));
    if let Some(before) = same {
        if let Some(tls) = before.door.tls() {
            tls.reload().map_err(|error| SettingsError::Tls { table: "balance.tls", error })?;
        }
        return Ok(Arc::clone(&before.door));
    }
    let is_http = balance.protocol == Protocol::Http;
    let tls = tls.is_on().then(|| TlsServer::load(tls, is_http)).transpose();
    let tls = tls.map_err(|error| SettingsError::Tls { table: "balance.tls", error })?.map(Arc::new);
    // Counters go on.
    let counts = before.map(|before| Arc::clone(before.door.counts())).unwrap_or_default();
    Ok(Arc::new(Door::new(limits, idle, trusted, proxy_protocol, tls, counts)))
}

fn node_tls(
    balance: &BalanceConfig,
    before: Option<&Settings>,
) -> Result<Option<Arc<TlsClient>>, SettingsError> {
    let Some(config) = &balance.node_tls else { return Ok(None) };
    let failed = |error| SettingsError::Tls { table: "balance.node_tls", error };
    match before
        .filter(|before| before.balance.node_tls == balance.node_tls)
        .and_then(|it| it.node_tls.clone())
    {
        Some(same) => same.reload().map(|_| Some(same)).map_err(failed),
        None => TlsClient::load(config.clone()).map(|client| Some(Arc::new(client))).map_err(failed),
    }
}
