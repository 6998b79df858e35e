//! All nodes and what is known of them: the one place where a node's state changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::HeaderMap;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::choice::{Choice, NodeSet};
use crate::config::BalancerConfig;
use crate::monitor::NodeEvent;
use crate::node::{Node, NodeState};
use crate::route;

/// Events that a slow listener may be behind before it misses some.
const EVENT_BOUND: usize = 256;

/// The nodes, in the order of the configuration; an index names one.
#[derive(Debug)]
pub(crate) struct Fleet {
    nodes: Vec<Arc<Node>>,
    cookie: String,
    choice: Mutex<Choice>,
    /// The [`NodeSet`] of those that are up. Written only while `events` is locked, so that it follows the
    /// states.
    up: AtomicU64,
    events: Mutex<broadcast::Sender<NodeEvent>>,
}

impl Fleet {
    pub(crate) fn new(config: &BalancerConfig) -> Self {
        Self {
            nodes: config.nodes.iter().map(|node| Arc::new(Node::new(node))).collect(),
            cookie: config.balance.cookie.clone(),
            choice: Mutex::new(Choice::new(
                config.balance.sticky,
                config.nodes.iter().map(|node| node.weight),
            )),
            up: AtomicU64::new(0),
            events: Mutex::new(broadcast::Sender::new(EVENT_BOUND)),
        }
    }

    pub(crate) fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// The node that a request's cookie names.
    pub(crate) fn route(&self, headers: &HeaderMap) -> Option<usize> {
        route::route(headers, &self.cookie, self.nodes.iter().map(|node| node.name.as_str()))
    }

    /// The next node for a request, among those that are up and not tried.
    pub(crate) fn choose(&self, tried: NodeSet, route: Option<usize>) -> Option<usize> {
        let up = NodeSet::from_bits(self.up.load(Relaxed));
        self.choice.lock().next(up, tried, route)
    }

    /// Records what was learnt of a node; tells listeners and the log if that is new.
    pub(crate) fn set_state(&self, index: usize, state: NodeState, reason: &str) {
        let node = &self.nodes[index];
        let events = self.events.lock();
        if node.set_state(state) == state {
            return;
        }
        let others = NodeSet::from_bits(self.up.load(Relaxed)).without(NodeSet::single(index));
        let up = if state == NodeState::Up { others.with(index) } else { others };
        self.up.store(up.bits(), Relaxed);
        if state == NodeState::Down {
            node.pool.clear();
        }
        match state {
            NodeState::Down => {
                tracing::warn!(node = %node.name, address = %node.address, reason, "node down")
            }
            _ => tracing::info!(node = %node.name, address = %node.address, reason, "node {state}"),
        }
        // Nobody needs to listen.
        let _ = events.send(NodeEvent {
            node: node.name.clone(),
            address: node.address.clone(),
            state,
            reason: reason.to_owned(),
        });
    }

    /// Asks for a health check of every node now instead of at its time.
    pub(crate) fn recheck_all(&self) {
        self.nodes.iter().for_each(|node| node.recheck.notify_one());
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<NodeEvent> {
        self.events.lock().subscribe()
    }
}
