//! All nodes and what is known of them: the one place where a node's state changes, and where nodes come and
//! go.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use http::HeaderMap;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{broadcast, mpsc};

use crate::backend::{ActiveRequest, Backend, BackendState};
use crate::backend_event::BackendEvent;
use crate::choice::{BackendSet, Candidate, Choice, MAX_BACKENDS, identity};
use crate::config::BackendConfig;
use crate::outlier;
use crate::retry_budget::RetryBudget;
use crate::route;
use crate::settings::Settings;
use crate::statistics::Statistics;
use crate::stick_table::StickTable;
use crate::waiting_room::WaitingRoom;

/// Events that a slow listener may be behind before it misses some.
const EVENT_BOUND: usize = 256;

/// The nodes, each at an index of its own. Locks are taken in the order of the fields.
#[derive(Debug)]
pub(crate) struct BackendPool {
    /// Held while an operator changes the list, so that two at once do not add the same name.
    pub(crate) changing: Mutex<()>,
    settings: RwLock<Arc<Settings>>,
    events: Mutex<broadcast::Sender<BackendEvent>>,
    backends: RwLock<Vec<Option<Arc<Backend>>>>,
    choice: Mutex<Choice>,
    clients: Mutex<StickTable>,
    /// The [`BackendSet`] of those that are up. Written only while `events` is locked, so that it follows the
    /// states.
    up: AtomicU64,
    /// Nodes that nobody checks yet.
    new_backends: mpsc::Sender<Arc<Backend>>,
    /// Where requests wait that no node can take.
    pub(crate) room: Arc<WaitingRoom>,
    pub(crate) retries: RetryBudget,
    pub(crate) statistics: Arc<Statistics>,
}

/// The facts about a client that the choice of its node uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// The node that it was on before.
    pub(crate) route: Option<usize>,
    pub(crate) address: IpAddr,
}

impl BackendPool {
    /// The nodes of the configuration, and where nodes appear whose health is to be watched.
    pub(crate) fn new(
        settings: Settings,
        nodes: &[BackendConfig],
        statistics: Arc<Statistics>,
    ) -> (Self, mpsc::Receiver<Arc<Backend>>) {
        let (new_backends, unchecked) = mpsc::channel(MAX_BACKENDS);
        let pool = Self {
            changing: Mutex::new(()),
            settings: RwLock::new(Arc::new(settings)),
            events: Mutex::new(broadcast::Sender::new(EVENT_BOUND)),
            backends: RwLock::new(Vec::new()),
            choice: Mutex::new(Choice::new()),
            clients: Mutex::new(StickTable::default()),
            up: AtomicU64::new(0),
            new_backends,
            room: Arc::default(),
            retries: RetryBudget::new(),
            statistics,
        };
        for node in nodes {
            // A configuration with more than that is not valid.
            pool.add(node);
        }
        (pool, unchecked)
    }

    /// All nodes, in the order of their indexes.
    pub(crate) fn nodes(&self) -> Vec<Arc<Backend>> {
        self.backends.read().iter().flatten().cloned().collect()
    }

    /// The values in force.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read())
    }

    /// Puts other values in force.
    pub(crate) fn set_settings(&self, settings: Settings) {
        *self.settings.write() = Arc::new(settings);
    }

    /// The index that a request's cookie names.
    pub(crate) fn route(&self, headers: &HeaderMap, cookie: &str) -> Option<usize> {
        let backends = self.backends.read();
        let names = backends.iter().map(|index| index.as_ref().map_or("", |node| node.name.as_str()));
        route::route(headers, cookie, names)
    }

    /// The node that this client's address was on last.
    pub(crate) fn route_of(&self, client: IpAddr) -> Option<usize> {
        self.clients.lock().backend_of(client)
    }

    /// A place at the next node for a request, among those that are up, not full and not tried.
    pub(crate) fn choose(
        &self,
        tried: BackendSet,
        origin: Origin,
        settings: &Settings,
    ) -> Option<ActiveRequest> {
        let backends = self.backends.read();
        let mut left = BackendSet::from_bits(self.up.load(Relaxed)).without(tried);
        let routes = origin.route.filter(|_| settings.balance.sticky);
        for index in routes.into_iter().filter(|index| left.contains(*index)) {
            if let Some(place) = backends.get(index).and_then(Option::as_ref).and_then(Backend::begin_request)
            {
                return Some(place);
            }
        }
        loop {
            let candidates = candidates(&backends, left, settings);
            let client = client_number(origin.address);
            let index = self.choice.lock().next(settings.balance.algorithm, candidates, client)?;
            if let Some(place) = backends.get(index)?.as_ref().and_then(Backend::begin_request) {
                return Some(place);
            }
            // Another request took the last place.
            left = left.without(BackendSet::single(index));
        }
    }

    /// Whether nodes are up that have as many requests as they may.
    pub(crate) fn is_full(&self) -> bool {
        self.backends.read().iter().flatten().any(|node| node.state() == BackendState::Up && node.is_full())
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
            BackendState::Up if node.outlier.left(Instant::now()).is_some() => {
                (BackendState::Ejected, "it failed request after request")
            }
            _ => (state, reason),
        };
        let before = node.set_state(state, reason);
        if before == state {
            return;
        }
        node.counters.state_changes.fetch_add(1, Relaxed);
        self.mark(node.index, state == BackendState::Up);
        if before == BackendState::Up {
            // A task that still saw the node up holds the list: once the lock is free, all its requests are
            // counted.
            drop(self.backends.write());
        }
        if matches!(state, BackendState::Down | BackendState::Draining) {
            node.idle.clear();
        }
        match (before, state) {
            (_, BackendState::Up) => self.room.node_is_up(),
            // One that closed its port after it drained ends what runs there.
            (BackendState::Up | BackendState::Ejected, BackendState::Down) => node.lost.notify_waiters(),
            // It may learn at once that nothing new comes.
            (_, BackendState::Draining) => node.recheck.notify_one(),
            _ => {}
        }
        match state {
            BackendState::Down | BackendState::Ejected => {
                tracing::warn!(node = %node.name, address = %node.address, reason, "node {state}")
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

    /// A node failed once more; leaves it out if that makes too many in a row and not too many are left out.
    pub(crate) fn note_failure(&self, node: &Arc<Backend>, settings: &Settings) {
        let limits = &settings.balance.outlier;
        if !node.outlier.failed(limits.failures) || node.state() != BackendState::Up {
            return;
        }
        let nodes = self.nodes();
        let ejected = nodes.iter().filter(|node| node.state() == BackendState::Ejected).count();
        let others = nodes.iter().any(|other| !Arc::ptr_eq(other, node) && other.state() == BackendState::Up);
        if !others || !outlier::may_eject(ejected, nodes.len(), limits.percent) {
            return;
        }
        let time = node.outlier.eject(Instant::now(), limits.time);
        node.counters.ejections.fetch_add(1, Relaxed);
        tracing::warn!(node = %node.name, failures = limits.failures, ?time, "node left out");
        self.set_state(node, BackendState::Up, "");
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
        let node = Arc::new(Backend::new(config, free, Arc::clone(&self.room)));
        backends[free] = Some(Arc::clone(&node));
        self.choice.lock().begin_anew();
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
        self.choice.lock().begin_anew();
        self.clients.lock().forget(node.index);
        node.removed.store(true, Relaxed);
        node.recheck.notify_one();
    }

    /// From now on the node has this share of those that no cookie decides.
    pub(crate) fn set_weight(&self, node: &Arc<Backend>, weight: u32) {
        let backends = self.backends.write();
        if holds(&backends, node) {
            node.weight.store(weight, Relaxed);
            self.choice.lock().begin_anew();
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

/// Those of a set that are not full.
fn candidates<'a>(
    backends: &'a [Option<Arc<Backend>>],
    left: BackendSet,
    settings: &'a Settings,
) -> impl Iterator<Item = Candidate> + Clone + 'a {
    let nodes = backends.iter().flatten().filter(move |node| left.contains(node.index) && !node.is_full());
    nodes.map(|node| node.candidate(settings.balance.slow_start))
}

/// The number of a client: every balancer computes the same.
fn client_number(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => identity(&address.octets()),
        IpAddr::V6(address) => identity(&address.octets()),
    }
}

/// Whether the node still has its index.
fn holds(backends: &[Option<Arc<Backend>>], node: &Arc<Backend>) -> bool {
    backends.get(node.index).and_then(Option::as_ref).is_some_and(|held| Arc::ptr_eq(held, node))
}
