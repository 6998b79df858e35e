//! The operator's hand on the nodes while the balancer runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use serde_json::Value;

use crate::backend::{Backend, BackendState};
use crate::backend_pool::BackendPool;
use crate::choice::MAX_BACKENDS;
use crate::config::{BackendConfig, BalanceConfig, BalancerConfig, BalancerConfigError, validate_nodes};
use crate::settings::{Settings, SettingsError};

/// Adds and takes out nodes of a balancer, and changes their weights, also while it runs. What is under way
/// at a node always ends there. Clones change the same balancer.
#[derive(Debug, Clone)]
pub struct BackendControl {
    pool: Arc<BackendPool>,
}

/// Why the nodes were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// There is no node of this name.
    #[error("there is no node {name:?}; there are {known}")]
    Unknown {
        /// The name that was given.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// A node of this name exists.
    #[error("there is a node {name:?} already, at {address}; take it out first")]
    Exists {
        /// The name that was given.
        name: String,
        /// Where the node of this name is.
        address: String,
    },
    /// There is no room for another node.
    #[error("a balancer has at most {MAX_BACKENDS} nodes")]
    Full,
    /// Without this node there would be none.
    #[error("{name:?} is the only node; add another one first")]
    Last {
        /// The name that was given.
        name: String,
    },
    /// A value cannot be used.
    #[error(transparent)]
    Value(#[from] BalancerConfigError),
}

/// The changes of [`BackendControl::follow`], as names of nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackendChanges {
    /// Taken in.
    pub added: Vec<String>,
    /// Taken out.
    pub removed: Vec<String>,
    /// Given another weight, or another limit of requests.
    pub reweighted: Vec<String>,
}

/// The changes of [`BackendControl::reload`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The nodes.
    pub nodes: BackendChanges,
    /// Keys of `[balance]` whose new values are in force.
    pub changed: Vec<String>,
    /// Keys of `[balance]` whose new values take effect with the next start.
    pub at_next_start: Vec<String>,
}

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// A value cannot be used.
    #[error(transparent)]
    Value(#[from] BalancerConfigError),
    /// A value names a file or an address that cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The nodes cannot be followed.
    #[error(transparent)]
    Nodes(#[from] ControlError),
}

/// Keys of `[balance]` that a balancer goes by from its start to its end.
const FIXED_KEYS: [&str; 7] =
    ["admin", "listen", "protocol", "secret_file", "tls.acme_webroot", "tls.redirect", "tls.redirect_port"];

impl Reloaded {
    /// The changes in one sentence.
    pub fn summary(&self) -> String {
        let parts = [
            ("added", &self.nodes.added),
            ("removed", &self.nodes.removed),
            ("changed", &self.nodes.reweighted),
            ("in force:", &self.changed),
            ("only after a restart:", &self.at_next_start),
        ];
        let told: Vec<_> = parts
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what} {}", names.join(", ")))
            .collect();
        if told.is_empty() { "nothing has changed".into() } else { told.join("; ") }
    }
}

impl BackendControl {
    pub(crate) fn new(pool: Arc<BackendPool>) -> Self {
        Self { pool }
    }

    /// Takes a node in; it gets requests once a check has found it ready.
    pub fn add(&self, node: &BackendConfig) -> Result<(), ControlError> {
        node.validate("")?;
        let _one_at_a_time = self.pool.changing.lock();
        if let Some(known) = self.pool.nodes().into_iter().find(|known| known.name == node.name) {
            return Err(ControlError::Exists { name: node.name.clone(), address: known.address.clone() });
        }
        self.pool.add(node).ok_or(ControlError::Full)?;
        tracing::info!(node = %node.name, address = %node.address, weight = node.weight, "node added");
        Ok(())
    }

    /// Takes a node out: its clients go to other nodes with their next request or connection.
    pub fn remove(&self, name: &str) -> Result<(), ControlError> {
        let _one_at_a_time = self.pool.changing.lock();
        let node = self.find(name)?;
        if self.pool.nodes().len() == 1 {
            return Err(ControlError::Last { name: name.to_owned() });
        }
        self.pool.remove(&node);
        tracing::info!(node = %name, address = %node.address, "node removed");
        Ok(())
    }

    /// Changes a node's share of new clients, 0 to 1000. With 0 it keeps those that it has and gets no new
    /// ones.
    pub fn set_weight(&self, name: &str, weight: u32) -> Result<(), ControlError> {
        BackendConfig::validate_weight("", weight)?;
        self.pool.set_weight(&self.find(name)?, weight);
        tracing::info!(node = %name, weight, "node weighted");
        Ok(())
    }

    /// Lets a node run empty: it stays, is checked, and gets nothing new, also from the clients that it has.
    pub fn drain(&self, name: &str) -> Result<(), ControlError> {
        let node = self.find(name)?;
        node.drained.store(true, Relaxed);
        if node.state() == BackendState::Up {
            self.pool.set_state(&node, BackendState::Up, "");
        }
        Ok(())
    }

    /// Ends [`BackendControl::drain`]: the node gets requests again once a check has found it ready. Whether
    /// it was drained.
    pub fn resume(&self, name: &str) -> Result<bool, ControlError> {
        let node = self.find(name)?;
        let drained = node.drained.swap(false, Relaxed);
        node.recheck.notify_one();
        Ok(drained)
    }

    /// Makes the nodes those of this list, as a file lists them that was changed: takes in the new ones,
    /// takes out the missing ones, changes weights. A node whose address changed is taken out and in again;
    /// one that is drained stays so. A list that cannot be used changes nothing.
    pub fn follow(&self, list: &[BackendConfig]) -> Result<BackendChanges, ControlError> {
        validate_nodes(list)?;
        let _one_at_a_time = self.pool.changing.lock();
        let mut followed = BackendChanges::default();
        for node in self.pool.nodes() {
            match list.iter().find(|listed| is_same(listed, &node)) {
                Some(listed) if !goes_by(listed, &node) => {
                    node.max_requests.store(listed.max_requests as usize, Relaxed);
                    self.pool.set_weight(&node, listed.weight);
                    followed.reweighted.push(node.name.clone());
                }
                Some(_) => {}
                None => {
                    self.pool.remove(&node);
                    followed.removed.push(node.name.clone());
                }
            }
        }
        let known = self.pool.nodes();
        for listed in list.iter().filter(|listed| !known.iter().any(|node| is_same(listed, node))) {
            self.pool.add(listed).ok_or(ControlError::Full)?;
            followed.added.push(listed.name.clone());
        }
        Ok(followed)
    }

    /// Takes over a file that was changed: the nodes as [`BackendControl::follow`] does, and the values of
    /// `[balance]`. Pages are read and the access log is opened anew in any case. Connections, running
    /// requests and the counters of nodes that stay are not touched. What cannot be used changes nothing.
    pub fn reload(&self, config: &BalancerConfig) -> Result<Reloaded, ReloadError> {
        config.validate()?;
        let before = self.pool.settings();
        let mut balance = config.balance.clone();
        balance.listen.clone_from(&before.balance.listen);
        balance.protocol = before.balance.protocol;
        balance.admin = before.balance.admin;
        balance.secret_file.clone_from(&before.balance.secret_file);
        // The port for plain HTTP is opened at the start.
        balance.tls.acme_webroot.clone_from(&before.balance.tls.acme_webroot);
        balance.tls.redirect = before.balance.tls.redirect;
        balance.tls.redirect_port = before.balance.tls.redirect_port;
        let changed = differing_keys(&before.balance, &balance);
        let settings = Settings::open(balance, &self.pool.statistics.log, Some(&before))?;
        let nodes = self.follow(&config.nodes)?;
        self.pool.set_settings(settings);
        self.pool.recheck_all();
        let fixed = |key: &String| FIXED_KEYS.contains(&key.as_str());
        let at_next_start =
            differing_keys(&before.balance, &config.balance).into_iter().filter(fixed).collect();
        Ok(Reloaded { nodes, changed, at_next_start })
    }

    fn find(&self, name: &str) -> Result<Arc<Backend>, ControlError> {
        let nodes = self.pool.nodes();
        let known = || nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
        nodes
            .iter()
            .find(|node| node.name == name)
            .cloned()
            .ok_or_else(|| ControlError::Unknown { name: name.to_owned(), known: known() })
    }
}

/// Whether the values that can be changed are those of the list.
fn goes_by(listed: &BackendConfig, node: &Backend) -> bool {
    listed.weight == node.weight.load(Relaxed)
        && listed.max_requests as usize == node.max_requests.load(Relaxed)
}

/// The keys whose values differ, in the order of the alphabet; those of tables within as `tls.hsts`.
fn differing_keys(one: &BalanceConfig, other: &BalanceConfig) -> Vec<String> {
    let table = |config: &BalanceConfig| {
        let mut keys = BTreeMap::new();
        if let Ok(Value::Object(table)) = serde_json::to_value(config) {
            table.into_iter().for_each(|(key, value)| flatten(key, value, &mut keys));
        }
        keys
    };
    let (one, other) = (table(one), table(other));
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).cloned().collect();
    keys.into_iter().filter(|key| one.get(key) != other.get(key)).collect()
}

/// A key with its value; of a table each key with the table's name before it.
fn flatten(key: String, value: Value, keys: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(table) => {
            table.into_iter().for_each(|(inner, value)| flatten(format!("{key}.{inner}"), value, keys));
        }
        value => drop(keys.insert(key, value)),
    }
}

fn is_same(listed: &BackendConfig, node: &Backend) -> bool {
    listed.name == node.name
        && listed.address == node.address
        && listed.health == node.health
        && listed.proxy_protocol == node.proxy_protocol
}
