//! All nodes and what is known of them: the one place where a node's state changes, and where nodes come and
//! go.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::HeaderMap;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{broadcast, mpsc};

use crate::choice::{Choice, MAX_NODES, NodeSet};
use crate::config::{BalancerConfig, NodeConfig};
use crate::monitor::NodeEvent;
use crate::node::{Node, NodeState};
use crate::remembered::Remembered;
use crate::route;

/// Events that a slow listener may be behind before it misses some.
const EVENT_BOUND: usize = 256;

/// The nodes, each in a slot of its own. Locks are taken in the order of the fields.
#[derive(Debug)]
pub(crate) struct Fleet {
    /// Held while an operator changes the list, so that two at once do not add the same name.
    pub(crate) changing: Mutex<()>,
    cookie: String,
    events: Mutex<broadcast::Sender<NodeEvent>>,
    slots: RwLock<Vec<Option<Arc<Node>>>>,
    choice: Mutex<Choice>,
    clients: Mutex<Remembered>,
    /// The [`NodeSet`] of those that are up. Written only while `events` is locked, so that it follows the
    /// states.
    up: AtomicU64,
    /// Nodes that nobody checks yet.
    newcomers: mpsc::Sender<Arc<Node>>,
}

impl Fleet {
    /// The nodes of the configuration, and where nodes appear whose health is to be watched.
    pub(crate) fn new(config: &BalancerConfig) -> (Self, mpsc::Receiver<Arc<Node>>) {
        let (newcomers, unwatched) = mpsc::channel(MAX_NODES);
        let fleet = Self {
            changing: Mutex::new(()),
            cookie: config.balance.cookie.clone(),
            events: Mutex::new(broadcast::Sender::new(EVENT_BOUND)),
            slots: RwLock::new(Vec::new()),
            choice: Mutex::new(Choice::new(config.balance.sticky)),
            clients: Mutex::new(Remembered::default()),
            up: AtomicU64::new(0),
            newcomers,
        };
        for node in &config.nodes {
            // A configuration with more than that is not valid.
            fleet.add(node);
        }
        (fleet, unwatched)
    }

    /// All nodes, in the order of their slots.
    pub(crate) fn nodes(&self) -> Vec<Arc<Node>> {
        self.slots.read().iter().flatten().cloned().collect()
    }

    /// The slot that a request's cookie names.
    pub(crate) fn route(&self, headers: &HeaderMap) -> Option<usize> {
        let slots = self.slots.read();
        let names = slots.iter().map(|slot| slot.as_ref().map_or("", |node| node.name.as_str()));
        route::route(headers, &self.cookie, names)
    }

    /// The next node for a request, among those that are up and not tried.
    pub(crate) fn choose(&self, tried: NodeSet, route: Option<usize>) -> Option<Arc<Node>> {
        let slots = self.slots.read();
        let up = NodeSet::from_bits(self.up.load(Relaxed));
        let slot = self.choice.lock().next(up, tried, route)?;
        slots.get(slot)?.clone()
    }

    /// The next node for a connection of this client.
    pub(crate) fn choose_for(&self, client: IpAddr, tried: NodeSet) -> Option<Arc<Node>> {
        let route = self.clients.lock().slot_of(client);
        self.choose(tried, route)
    }

    /// This client was taken by this node.
    pub(crate) fn remember(&self, client: IpAddr, node: &Arc<Node>) {
        let slots = self.slots.read();
        if holds(&slots, node) {
            self.clients.lock().remember(client, node.slot);
        }
    }

    /// Records what was learnt of a node; tells listeners and the log if that is new. A node that is drained
    /// is never up; one that was removed is nobody's concern.
    pub(crate) fn set_state(&self, node: &Arc<Node>, state: NodeState, reason: &str) {
        let events = self.events.lock();
        if !holds(&self.slots.read(), node) {
            return;
        }
        let (state, reason) = match state {
            NodeState::Up if node.drained.load(Relaxed) => (NodeState::Draining, "the operator drains it"),
            _ => (state, reason),
        };
        if node.set_state(state) == state {
            return;
        }
        node.counters.state_changes.fetch_add(1, Relaxed);
        self.mark(node.slot, state == NodeState::Up);
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

    /// Takes a node in; nothing when there is no slot left. It gets no request before its first check.
    pub(crate) fn add(&self, config: &NodeConfig) -> Option<()> {
        let _order = self.events.lock();
        let mut slots = self.slots.write();
        let free = slots.iter().position(Option::is_none).unwrap_or(slots.len());
        let watched = self.newcomers.try_reserve().ok()?;
        if free >= MAX_NODES {
            return None;
        }
        if free == slots.len() {
            slots.push(None);
        }
        let node = Arc::new(Node::new(config, free));
        slots[free] = Some(Arc::clone(&node));
        self.choice.lock().set_weight(free, config.weight);
        watched.send(node);
        Some(())
    }

    /// Lets a node go: nothing new is sent there, what runs ends there.
    pub(crate) fn remove(&self, node: &Arc<Node>) {
        let _order = self.events.lock();
        let mut slots = self.slots.write();
        if !holds(&slots, node) {
            return;
        }
        slots[node.slot] = None;
        self.mark(node.slot, false);
        self.choice.lock().set_weight(node.slot, 0);
        self.clients.lock().forget(node.slot);
        node.removed.store(true, Relaxed);
        node.recheck.notify_one();
    }

    /// From now on the node has this share of those that no cookie decides.
    pub(crate) fn set_weight(&self, node: &Arc<Node>, weight: u32) {
        let slots = self.slots.write();
        if holds(&slots, node) {
            node.weight.store(weight, Relaxed);
            self.choice.lock().set_weight(node.slot, weight);
        }
    }

    /// Asks for a health check of every node now instead of at its time.
    pub(crate) fn recheck_all(&self) {
        self.nodes().iter().for_each(|node| node.recheck.notify_one());
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<NodeEvent> {
        self.events.lock().subscribe()
    }

    /// Whether a slot's node can be chosen. Only with `events` locked.
    fn mark(&self, slot: usize, up: bool) {
        let others = NodeSet::from_bits(self.up.load(Relaxed)).without(NodeSet::single(slot));
        let now = if up { others.with(slot) } else { others };
        self.up.store(now.bits(), Relaxed);
    }
}

/// Whether the node still has its slot.
fn holds(slots: &[Option<Arc<Node>>], node: &Arc<Node>) -> bool {
    slots.get(node.slot).and_then(Option::as_ref).is_some_and(|held| Arc::ptr_eq(held, node))
}
