//! The operator's hand on the nodes while the balancer runs.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::backend::{Backend, BackendState};
use crate::backend_pool::BackendPool;
use crate::choice::MAX_BACKENDS;
use crate::config::{BackendConfig, BalancerConfigError, validate_nodes};

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

/// What [`BackendControl::follow`] changed, as names of nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackendChanges {
    /// Taken in.
    pub added: Vec<String>,
    /// Taken out.
    pub removed: Vec<String>,
    /// Given another weight.
    pub reweighted: Vec<String>,
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

    /// Ends [`BackendControl::drain`]: the node gets requests again once a check has found it ready.
    pub fn resume(&self, name: &str) -> Result<(), ControlError> {
        let node = self.find(name)?;
        node.drained.store(false, Relaxed);
        node.recheck.notify_one();
        Ok(())
    }

    /// Makes the nodes those of this list, as a file lists them that was changed: takes in the new ones, takes
    /// out the missing ones, changes weights. A node whose address changed is taken out and in again; one that
    /// is drained stays so. A list that cannot be used changes nothing.
    pub fn follow(&self, list: &[BackendConfig]) -> Result<BackendChanges, ControlError> {
        validate_nodes(list)?;
        let _one_at_a_time = self.pool.changing.lock();
        let mut followed = BackendChanges::default();
        for node in self.pool.nodes() {
            match list.iter().find(|listed| is_same(listed, &node)) {
                Some(listed) if listed.weight != node.weight.load(Relaxed) => {
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

fn is_same(listed: &BackendConfig, node: &Backend) -> bool {
    listed.name == node.name && listed.address == node.address && listed.health == node.health
}
