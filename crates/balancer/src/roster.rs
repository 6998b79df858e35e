//! The operator's hand on the nodes while the balancer runs.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::choice::MAX_NODES;
use crate::config::{ConfigError, NodeConfig, validate_nodes};
use crate::fleet::Fleet;
use crate::node::{Node, NodeState};

/// Adds and takes out nodes of a balancer, and changes their weights, also while it runs. What is under way
/// at a node always ends there. Clones change the same balancer.
#[derive(Debug, Clone)]
pub struct Roster {
    fleet: Arc<Fleet>,
}

/// Why the nodes were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
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
    #[error("a balancer has at most {MAX_NODES} nodes")]
    Full,
    /// Without this node there would be none.
    #[error("{name:?} is the only node; add another one first")]
    Last {
        /// The name that was given.
        name: String,
    },
    /// A value cannot be used.
    #[error(transparent)]
    Value(#[from] ConfigError),
}

/// What [`Roster::follow`] changed, as names of nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Followed {
    /// Taken in.
    pub added: Vec<String>,
    /// Taken out.
    pub removed: Vec<String>,
    /// Given another weight.
    pub reweighted: Vec<String>,
}

impl Roster {
    pub(crate) fn new(fleet: Arc<Fleet>) -> Self {
        Self { fleet }
    }

    /// Takes a node in; it gets requests once a check has found it ready.
    pub fn add(&self, node: &NodeConfig) -> Result<(), RosterError> {
        node.validate("")?;
        let _one_at_a_time = self.fleet.changing.lock();
        if let Some(known) = self.fleet.nodes().into_iter().find(|known| known.name == node.name) {
            return Err(RosterError::Exists { name: node.name.clone(), address: known.address.clone() });
        }
        self.fleet.add(node).ok_or(RosterError::Full)?;
        tracing::info!(node = %node.name, address = %node.address, weight = node.weight, "node added");
        Ok(())
    }

    /// Takes a node out: its clients go to other nodes with their next request or connection.
    pub fn remove(&self, name: &str) -> Result<(), RosterError> {
        let _one_at_a_time = self.fleet.changing.lock();
        let node = self.find(name)?;
        if self.fleet.nodes().len() == 1 {
            return Err(RosterError::Last { name: name.to_owned() });
        }
        self.fleet.remove(&node);
        tracing::info!(node = %name, address = %node.address, "node removed");
        Ok(())
    }

    /// Changes a node's share of new clients, 0 to 1000. With 0 it keeps those that it has and gets no new
    /// ones.
    pub fn set_weight(&self, name: &str, weight: u32) -> Result<(), RosterError> {
        NodeConfig::validate_weight("", weight)?;
        self.fleet.set_weight(&self.find(name)?, weight);
        tracing::info!(node = %name, weight, "node weighted");
        Ok(())
    }

    /// Lets a node run empty: it stays, is checked, and gets nothing new, also from the clients that it has.
    pub fn drain(&self, name: &str) -> Result<(), RosterError> {
        let node = self.find(name)?;
        node.drained.store(true, Relaxed);
        if node.state() == NodeState::Up {
            self.fleet.set_state(&node, NodeState::Up, "");
        }
        Ok(())
    }

    /// Ends [`Roster::drain`]: the node gets requests again once a check has found it ready.
    pub fn resume(&self, name: &str) -> Result<(), RosterError> {
        let node = self.find(name)?;
        node.drained.store(false, Relaxed);
        node.recheck.notify_one();
        Ok(())
    }

    /// Makes the nodes those of this list, as a file lists them that was changed: takes in the new ones, takes
    /// out the missing ones, changes weights. A node whose address changed is taken out and in again; one that
    /// is drained stays so. A list that cannot be used changes nothing.
    pub fn follow(&self, list: &[NodeConfig]) -> Result<Followed, RosterError> {
        validate_nodes(list)?;
        let _one_at_a_time = self.fleet.changing.lock();
        let mut followed = Followed::default();
        for node in self.fleet.nodes() {
            match list.iter().find(|listed| is_same(listed, &node)) {
                Some(listed) if listed.weight != node.weight.load(Relaxed) => {
                    self.fleet.set_weight(&node, listed.weight);
                    followed.reweighted.push(node.name.clone());
                }
                Some(_) => {}
                None => {
                    self.fleet.remove(&node);
                    followed.removed.push(node.name.clone());
                }
            }
        }
        let known = self.fleet.nodes();
        for listed in list.iter().filter(|listed| !known.iter().any(|node| is_same(listed, node))) {
            self.fleet.add(listed).ok_or(RosterError::Full)?;
            followed.added.push(listed.name.clone());
        }
        Ok(followed)
    }

    fn find(&self, name: &str) -> Result<Arc<Node>, RosterError> {
        let nodes = self.fleet.nodes();
        let known = || nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
        nodes
            .iter()
            .find(|node| node.name == name)
            .cloned()
            .ok_or_else(|| RosterError::Unknown { name: name.to_owned(), known: known() })
    }
}

fn is_same(listed: &NodeConfig, node: &Node) -> bool {
    listed.name == node.name && listed.address == node.address && listed.health == node.health
}
