//! All nodes and what is known of them: the one place where a node's state changes, and where nodes come and
//! go.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::HeaderMap;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{broadcast, mpsc};

use crate::backend::{Backend, BackendState};
use crate::choice::{BackendSet, Choice, MAX_BACKENDS};
use crate::config::{BackendConfig, BalancerConfig};
use crate::route;
use crate::status::BackendEvent;
use crate::stick_table::StickTable;

/// Events that a slow listener may be behind before it misses some.
const EVENT_BOUND: usize = 256;

/// The nodes, each at an index of its own. Locks are taken in the order of the fields.
#[derive(Debug)]
pub(crate) struct BackendPool {
    /// Held while an operator changes the list, so that two at once do not add the same name.
    pub(crate) changing: Mutex<()>,
    cookie: String,
    events: Mutex<broadcast::Sender<BackendEvent>>,
    backends: RwLock<Vec<Option<Arc<Backend>>>>,
    choice: Mutex<Choice>,
    clients: Mutex<StickTable>,
    /// The [`BackendSet`] of those that are up. Written only while `events` is locked, so that it follows the
    /// states.
    up: AtomicU64,
    /// Nodes that nobody checks yet.
    new_backends: mpsc::Sender<Arc<Backend>>,
}

impl BackendPool {
    /// The nodes of the configuration, and where nodes appear whose health is to be watched.
    pub(crate) fn new(config: &BalancerConfig) -> (Self, mpsc::Receiver<Arc<Backend>>) {
        let (new_backends, unchecked) = mpsc::channel(MAX_BACKENDS);
        let pool = Self {
            changing: Mutex::new(()),
            cookie: config.balance.cookie.clone(),
            events: Mutex::new(broadcast::Sender::new(EVENT_BOUND)),
            backends: RwLock::new(Vec::new()),
            choice: Mutex::new(Choice::new(config.balance.sticky)),
            clients: Mutex::new(StickTable::default()),
            up: AtomicU64::new(0),
            new_backends,
        };
        for node in &config.nodes {
            // A configuration with more than that is not valid.
            pool.add(node);
        }
        (pool, unchecked)
    }

    /// All nodes, in the order of their indexes.
    pub(crate) fn nodes(&self) -> Vec<Arc<Backend>> {
        self.backends.read().iter().flatten().cloned().collect()
    }

    /// The index that a request's cookie names.
    pub(crate) fn route(&self, headers: &HeaderMap) -> Option<usize> {
        let backends = self.backends.read();
        let names = backends.iter().map(|index| index.as_ref().map_or("", |node| node.name.as_str()));
        route::route(headers, &self.cookie, names)
    }

    /// The next node for a request, among those that are up and not tried.
    pub(crate) fn choose(&self, tried: BackendSet, route: Option<usize>) -> Option<Arc<Backend>> {
        let backends = self.backends.read();
        let up = BackendSet::from_bits(self.up.load(Relaxed));
        let index = self.choice.lock().next(up, tried, route)?;
        backends.get(index)?.clone()
    }

    /// The next node for a connection of this client.
    pub(crate) fn choose_for(&self, client: IpAddr, tried: BackendSet) -> Option<Arc<Backend>> {
        let route = self.clients.lock().backend_of(client);
        self.choose(tried, route)
    }

    /// This client was taken by this node.
    pub(crate) fn remember(&self, client: IpAddr, node: &Arc<Backend>) {
        let backends = self.backends.read();
        if holds(&backends, node) {
            self.clients.lock().remember(client, node.index);
        }
    }

    /// Records what was learnt of a node; tells listeners and the log if that is new. A node that is drained
    /// is never up; one that was removed is nobody's concern.
    pub(crate) fn set_state(&self, node: &Arc<Backend>, state: BackendState, reason: &str) {
        let events = self.events.lock();
        if !holds(&self.backends.read(), node) {
            return;
        }
        let (state, reason) = match state {
            BackendState::Up if node.drained.load(Relaxed) => {
                (BackendState::Draining, "the operator drains it")
            }
            _ => (state, reason),
        };
        if node.set_state(state) == state {
            return;
        }
        node.counters.state_changes.fetch_add(1, Relaxed);
        self.mark(node.index, state == BackendState::Up);
        if state == BackendState::Down {
            node.idle.clear();
        }
        match state {
            BackendState::Down => {
                tracing::warn!(node = %node.name, address = %node.address, reason, "node down")
            }
            _ => tracing::info!(node = %node.name, address = %node.address, reason, "node {state}"),
        }
        // Nobody needs to listen.
        let _ = events.send(BackendEvent {
            node: node.name.clone(),
            address: node.address.clone(),
            state,
            reason: reason.to_owned(),
        });
    }

    /// Takes a node in; nothing when there is no index free. It gets no request before its first check.
    pub(crate) fn add(&self, config: &BackendConfig) -> Option<()> {
        let _order = self.events.lock();
        let mut backends = self.backends.write();
        let free = backends.iter().position(Option::is_none).unwrap_or(backends.len());
        let watched = self.new_backends.try_reserve().ok()?;
        if free >= MAX_BACKENDS {
            return None;
        }
        if free == backends.len() {
            backends.push(None);
        }
        let node = Arc::new(Backend::new(config, free));
        backends[free] = Some(Arc::clone(&node));
        self.choice.lock().set_weight(free, config.weight);
        watched.send(node);
        Some(())
    }

    /// Lets a node go: nothing new is sent there, what runs ends there.
    pub(crate) fn remove(&self, node: &Arc<Backend>) {
        let _order = self.events.lock();
        let mut backends = self.backends.write();
        if !holds(&backends, node) {
            return;
        }
        backends[node.index] = None;
        self.mark(node.index, false);
        self.choice.lock().set_weight(node.index, 0);
        self.clients.lock().forget(node.index);
        node.removed.store(true, Relaxed);
        node.recheck.notify_one();
    }

    /// From now on the node has this share of those that no cookie decides.
    pub(crate) fn set_weight(&self, node: &Arc<Backend>, weight: u32) {
        let backends = self.backends.write();
        if holds(&backends, node) {
            node.weight.store(weight, Relaxed);
            self.choice.lock().set_weight(node.index, weight);
        }
    }

    /// Asks for a health check of every node now instead of at its time.
    pub(crate) fn recheck_all(&self) {
        self.nodes().iter().for_each(|node| node.recheck.notify_one());
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<BackendEvent> {
        self.events.lock().subscribe()
    }

    /// Whether the node at an index can be chosen. Only with `events` locked.
    fn mark(&self, index: usize, up: bool) {
        let others = BackendSet::from_bits(self.up.load(Relaxed)).without(BackendSet::single(index));
        let now = if up { others.with(index) } else { others };
        self.up.store(now.bits(), Relaxed);
    }
}

/// Whether the node still has its index.
fn holds(backends: &[Option<Arc<Backend>>], node: &Arc<Backend>) -> bool {
    backends.get(node.index).and_then(Option::as_ref).is_some_and(|held| Arc::ptr_eq(held, node))
}
