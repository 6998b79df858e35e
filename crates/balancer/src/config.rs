//! The balancer's file: `[balance]` and one `[[node]]` for every node. Reading the file is the caller's work.

mod distribution;
mod front;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile_http_server::proxy_protocol::ProxyProtocol;
use sessile_http_server::tls::BackendTls;
use sessile_http_server::{Limits, Network, TlsConfig, duration};

use crate::choice::{Algorithm, MAX_BACKENDS};
pub use distribution::{AccessLogConfig, OutlierConfig, QueueConfig};

/// Most weight of one node.
const MAX_WEIGHT: u32 = 1_000;
/// Longest name of a node.
const MAX_NAME: usize = 32;
/// Bounds of the pause between two health checks of one node.
const HEALTH_INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(20)..=Duration::from_secs(3_600);

/// Bounds of the time without a byte after which a connection is closed.
const IDLE_TIMEOUTS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(24 * 3_600);

/// The protocol that the balancer carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Requests: each is given to a node of its own, and retried where that is safe.
    #[default]
    Http,
    /// Bytes: each connection is given to a node, whatever is spoken on it.
    Tcp,
    /// Datagrams: those of each client's address and port are given to a node.
    Udp,
}

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BalancerConfig {
    /// `[balance]`; left out, every key has its default.
    #[serde(default)]
    pub balance: BalanceConfig,
    /// `[[node]]`, 1 to 64 of them; those of equal weight are chosen in this order.
    #[serde(rename = "node", default)]
    pub nodes: Vec<BackendConfig>,
}

/// The table `[balance]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BalanceConfig {
    /// `host:port` for the clients; port 0 takes a free one. Default `127.0.0.1:8080`.
    pub listen: String,
    /// `http`, or `tcp` for any other protocol. Default `http`.
    pub protocol: Protocol,
    /// The cookie whose value ends with the route; for `http`. Default `sid`.
    pub cookie: String,
    /// Whether a client stays on its node: in `http` the requests of a session on the one that its cookie
    /// names, in `tcp` the connections of an address on the one that it had last. Default true.
    pub sticky: bool,
    /// Path asked on every node: 200 is ready, 503 gets no new request. In `tcp` it is asked only where
    /// [`BackendConfig::health`] says so; else a node that takes a connection is ready. Default
    /// `/.sessile/ready`.
    pub health_path: String,
    /// How a client whose cookie or address names no node is given one. Default `round-robin`.
    pub algorithm: Algorithm,
    /// The time over which the share of a node that comes back grows to its full size, to 1h. Default `0s`:
    /// at once.
    #[serde(with = "duration")]
    pub slow_start: Duration,
    /// For each 100 requests, so many may be repeated that a node may have begun; 0 to 100. What no node can
    /// have begun is repeated freely. Default 20.
    pub retry_percent: u32,
    /// Where requests wait that no node can take.
    pub queue: QueueConfig,
    /// When a node that fails is left out though its health path answers.
    pub outlier: OutlierConfig,
    /// Networks whose clients are told in a header what was tried and why it was not answered. Default: none.
    pub operators: Vec<Network>,
    /// Pages of the site for the balancer's own answers, by status: 400, 408, 413, 417, 429, 431, 501, 502,
    /// 503, 504. Read at the start and at a reload.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub error_pages: BTreeMap<String, PathBuf>,
    /// Where each request is logged. Default: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLogConfig>,
    /// Pause between two checks of one node, 20ms to 1h. Default `500ms`.
    #[serde(with = "duration")]
    pub health_interval: Duration,
    /// Paths (with all below them) where even a GET changes state, so that it is never sent twice.
    /// Default `["/clusterapp"]`.
    pub unsafe_paths: Vec<String>,
    /// A TCP connection or websocket on which no byte passes for this long is closed, 100ms to 24h. Default
    /// `1h`.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// The proxies in front of this one: their `X-Forwarded-*` and `Forwarded` are believed and extended, and
    /// their connections are not bounded for each source. Default: none.
    pub trusted_proxies: Vec<Network>,
    /// Whether a connection of a trusted proxy begins with a header of the PROXY protocol, version 1 or 2.
    /// Default false.
    pub proxy_protocol: bool,
    /// The limits of clients.
    pub limits: Limits,
    /// Certificates; without any, clients are served in plain HTTP or TCP.
    pub tls: TlsConfig,
    /// How nodes are spoken to in TLS. Default: in plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_tls: Option<BackendTls>,
    /// Address and port of the admin port. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<SocketAddr>,
    /// The file from whose secret the token of the admin port follows; made when it is missing. Default
    /// `balancer.secret`.
    pub secret_file: PathBuf,
}

impl Default for BalanceConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            protocol: Protocol::Http,
            cookie: "sid".into(),
            sticky: true,
            health_path: "/.sessile/ready".into(),
            algorithm: Algorithm::default(),
            slow_start: Duration::ZERO,
            retry_percent: 20,
            queue: QueueConfig::default(),
            outlier: OutlierConfig::default(),
            operators: Vec::new(),
            error_pages: BTreeMap::new(),
            access_log: None,
            health_interval: Duration::from_millis(500),
            unsafe_paths: vec!["/clusterapp".into()],
            idle_timeout: Duration::from_secs(3_600),
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            limits: Limits::default(),
            tls: TlsConfig::default(),
            node_tls: None,
            admin: None,
            secret_file: "balancer.secret".into(),
        }
    }
}

/// One table `[[node]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackendConfig {
    /// The node's name, which is the route in the cookie: 1 to 32 of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// `host:port` of the node's port for clients.
    pub address: String,
    /// Its share of the clients that are not on a node yet, 0 to 1000; with 0 it keeps those that it has and
    /// gets no new ones. Default 1.
    #[serde(default = "one")]
    pub weight: u32,
    /// Most requests that it gets at once; further ones wait in the queue, or go elsewhere. Default 0: no
    /// limit.
    #[serde(default)]
    pub max_requests: u32,
    /// The version of the PROXY protocol by which the node is told who the client is. A connection to the
    /// node then serves one request. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// `host:port` where `health_path` is asked. Default: in `http` the address, in `tcp` nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
}

fn one() -> u32 {
    1
}

/// A value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value}: {problem}")]
pub struct BalancerConfigError {
    key: String,
    value: String,
    problem: String,
}

impl BalancerConfigError {
    fn new(key: impl Into<String>, value: impl std::fmt::Debug, problem: impl Into<String>) -> Self {
        Self { key: key.into(), value: format!("{value:?}"), problem: problem.into() }
    }

    /// The key at fault, as `balance.cookie` or `node[1].weight` (counted from 0).
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl BalancerConfig {
    /// Checks every value; the first that cannot be used is the error.
    pub fn validate(&self) -> Result<(), BalancerConfigError> {
        self.balance.validate()?;
        validate_nodes(&self.nodes)
    }
}

/// Checks a whole list of nodes.
pub(crate) fn validate_nodes(nodes: &[BackendConfig]) -> Result<(), BalancerConfigError> {
    if nodes.is_empty() || nodes.len() > MAX_BACKENDS {
        let problem = format!("give 1 to {MAX_BACKENDS} [[node]] tables, each with name and address");
        return Err(BalancerConfigError::new("node", format_args!("{} tables", nodes.len()), problem));
    }
    let mut names = HashSet::new();
    for (index, node) in nodes.iter().enumerate() {
        let place = format!("node[{index}].");
        node.validate(&place)?;
        if !names.insert(&node.name) {
            let problem = "two nodes have this name; routes in cookies need one name a node";
            return Err(BalancerConfigError::new(format!("{place}name"), &node.name, problem));
        }
    }
    if nodes.iter().all(|node| node.weight == 0) {
        let problem = "no node would get a client; give one of them a weight";
        return Err(BalancerConfigError::new("node[0].weight", 0, problem));
    }
    Ok(())
}

impl BalanceConfig {
    fn validate(&self) -> Result<(), BalancerConfigError> {
        if port_of(&self.listen).is_none() {
            return Err(BalancerConfigError::new(
                "balance.listen",
                &self.listen,
                "write host:port, as 127.0.0.1:8080",
            ));
        }
        if self.cookie.is_empty() || !self.cookie.bytes().all(is_token) {
            let problem = "a cookie's name has letters, digits and !#$%&'*+-.^_`|~ only";
            return Err(BalancerConfigError::new("balance.cookie", &self.cookie, problem));
        }
        if !self.health_path.starts_with('/') || self.health_path.parse::<http::Uri>().is_err() {
            let problem = "write a path, as /.sessile/ready";
            return Err(BalancerConfigError::new("balance.health_path", &self.health_path, problem));
        }
        if !HEALTH_INTERVALS.contains(&self.health_interval) {
            let value = duration::text(self.health_interval);
            return Err(BalancerConfigError::new("balance.health_interval", value, "write 20ms to 1h"));
        }
        if !IDLE_TIMEOUTS.contains(&self.idle_timeout) {
            let value = duration::text(self.idle_timeout);
            return Err(BalancerConfigError::new("balance.idle_timeout", value, "write 100ms to 24h"));
        }
        self.validate_front()?;
        self.validate_distribution()?;
        match self.unsafe_paths.iter().find(|path| !path.starts_with('/')) {
            Some(path) => Err(BalancerConfigError::new("balance.unsafe_paths", path, "a path starts with /")),
            None => Ok(()),
        }
    }
}

impl BackendConfig {
    /// A node of this name at this address; everything else has its default.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        let (name, address) = (name.into(), address.into());
        Self { name, address, weight: one(), max_requests: 0, proxy_protocol: None, health: None }
    }

    /// Checks the values; `place` goes before the keys in errors.
    pub(crate) fn validate(&self, place: &str) -> Result<(), BalancerConfigError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !(1..=MAX_NAME).contains(&self.name.len()) || !self.name.bytes().all(allowed) {
            let problem = format!("a name is 1 to {MAX_NAME} of A-Z a-z 0-9 _ -");
            return Err(BalancerConfigError::new(format!("{place}name"), &self.name, problem));
        }
        for (key, address) in [("address", Some(&self.address)), ("health", self.health.as_ref())] {
            if let Some(wrong) = address.filter(|address| port_of(address).is_none_or(|port| port == 0)) {
                let problem = "write host:port of the node's HTTP port, as 127.0.0.1:9080";
                return Err(BalancerConfigError::new(format!("{place}{key}"), wrong, problem));
            }
        }
        Self::validate_weight(place, self.weight)
    }

    pub(crate) fn validate_weight(place: &str, weight: u32) -> Result<(), BalancerConfigError> {
        if weight > MAX_WEIGHT {
            let problem = format!("a weight is 0 to {MAX_WEIGHT}; 0 gets no new clients");
            return Err(BalancerConfigError::new(format!("{place}weight"), weight, problem));
        }
        Ok(())
    }
}

/// The port of `host:port`, if the text is that.
fn port_of(address: &str) -> Option<u16> {
    let (host, port) = address.rsplit_once(':')?;
    (!host.is_empty()).then(|| port.parse().ok())?
}

/// Whether a byte may stand in an HTTP token, such as a cookie's name.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [balance]
        listen = "127.0.0.1:0"
        health_interval = "250ms"
        [[node]]
        name = "tc01"
        address = "127.0.0.1:9080"
        [[node]]
        name = "tc02"
        address = "127.0.0.1:10080"
        weight = 3
    "#;

    fn read(text: &str) -> BalancerConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn keys_that_are_left_out_have_their_defaults() {
        let config = read(FILE);
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(config.balance.health_interval, Duration::from_millis(250));
        assert_eq!((config.balance.cookie.as_str(), config.balance.sticky), ("sid", true));
        assert_eq!(config.balance.health_path, "/.sessile/ready");
        assert_eq!(config.balance.unsafe_paths, ["/clusterapp"]);
        assert_eq!(config.nodes.iter().map(|node| node.weight).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(read(&toml::to_string(&config).unwrap()), config);
    }

    #[test]
    fn unknown_keys_and_wrong_durations_are_errors() {
        for (from, to, named) in
            [("weight", "wieght", "wieght"), ("listen", "listn", "listn"), ("250ms", "soon", "soon")]
        {
            let error = toml::from_str::<BalancerConfig>(&FILE.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn every_wrong_value_names_its_key() {
        for (from, to, key) in [
            ("127.0.0.1:0", "8080", "balance.listen"),
            ("250ms", "1ms", "balance.health_interval"),
            ("[balance]", "[balance]\ncookie = \"a b\"", "balance.cookie"),
            ("[balance]", "[balance]\nhealth_path = \"ready\"", "balance.health_path"),
            ("[balance]", "[balance]\nunsafe_paths = [\"x\"]", "balance.unsafe_paths"),
            ("tc02", "tc01", "node[1].name"),
            ("tc02", "tc.02", "node[1].name"),
            ("127.0.0.1:9080", "127.0.0.1", "node[0].address"),
            ("weight = 3", "weight = 1001", "node[1].weight"),
            ("weight = 3", "health = \"9080\"", "node[1].health"),
            ("250ms\"", "250ms\"\nidle_timeout = \"1ms\"", "balance.idle_timeout"),
        ] {
            let error = read(&FILE.replace(from, to)).validate().unwrap_err();
            assert_eq!(error.key(), key, "{error}");
        }
        let nobody = FILE.replace("weight = 3", "weight = 0").replacen("9080\"", "9080\"\nweight = 0", 1);
        assert_eq!(read(&nobody).validate().unwrap_err().key(), "node[0].weight");
        assert_eq!(read("").validate().unwrap_err().key(), "node");
    }
}
