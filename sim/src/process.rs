//! One process of a node, with the state of its driver.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sessile_core::{Fields, Incarnation, Instant, Node, NodeState, QuestionId, Secret, SessionKey, Ticket};

use crate::clock::Clock;
use crate::event::{Attempt, Inside, Reply};
use crate::history::{HostId, OpId};
use crate::swap::SwapFile;
use crate::view::View;
use crate::world::Listener;

/// A running (or stopped) process.
pub(crate) struct Process {
    /// Its incarnation.
    pub(crate) incarnation: Incarnation,
    /// The core.
    pub(crate) node: Node,
    /// The name of its node.
    pub(crate) name: String,
    /// Its monotonic clock.
    pub(crate) clock: Clock,
    /// The members as its events tell them, and how large the cluster was.
    pub(crate) view: View,
    /// When it last owed nobody anything.
    pub(crate) owed_nothing_at: Instant,
    /// Stopped by a signal: nothing happens inside.
    pub(crate) paused: bool,
    /// Events that wait until it resumes.
    pub(crate) held: Vec<Inside>,
    /// The incarnation that last said HELLO from each host.
    pub(crate) known: BTreeMap<HostId, Incarnation>,
    /// Processes that it refuses links with.
    pub(crate) barred: BTreeSet<Incarnation>,
    /// Processes whose frames it has not acknowledged yet.
    pub(crate) acks_owed: BTreeSet<Incarnation>,
    /// The requests that it works on.
    pub(crate) requests: BTreeMap<OpId, Request>,
    /// Its swap file for resting sessions, if it swaps.
    pub(crate) swap: Option<SwapFile>,
    /// Remaining checks of its drain.
    pub(crate) drain_patience: Option<u32>,
    /// The state of its listener.
    pub(crate) listener: Listener,
    /// It is of the next version.
    pub(crate) is_next: bool,
    /// Until then it watches: it has the complete state and does not serve yet.
    pub(crate) watches_until: Instant,
}

/// A request inside a process.
pub(crate) struct Request {
    /// Which attempt of the client it answers.
    pub(crate) attempt: Attempt,
    /// What it waits for.
    pub(crate) stage: Stage,
    /// The session was opened and must be closed.
    pub(crate) open: bool,
}

/// What a request waits for.
pub(crate) enum Stage {
    /// The gate, before anything was done.
    AtEntry,
    /// All members' answers about its session.
    Asking(QuestionId),
    /// Its handler.
    Handling,
    /// A commit, its own or that of another request on its session.
    Settling(Ticket),
    /// The gate, before the response leaves.
    AtExit(Reply),
}

impl Process {
    /// A new process.
    pub(crate) fn new(
        node: Node,
        incarnation: Incarnation,
        name: String,
        clock: Clock,
        swap: Option<SwapFile>,
        is_next: bool,
    ) -> Self {
        Self {
            incarnation,
            node,
            name,
            clock,
            view: View::default(),
            owed_nothing_at: Instant::ORIGIN,
            paused: false,
            held: Vec::new(),
            known: BTreeMap::new(),
            barred: BTreeSet::new(),
            acks_owed: BTreeSet::new(),
            requests: BTreeMap::new(),
            swap,
            drain_patience: None,
            listener: Listener::default(),
            is_next,
            watches_until: Instant::ORIGIN,
        }
    }

    /// What its clock shows.
    pub(crate) fn time(&self, now: Instant) -> Instant {
        self.clock.at(now)
    }

    /// Its own copy of a session, in memory or swapped out.
    pub(crate) fn peek(&self, key: SessionKey) -> Option<Fields> {
        let resident = self.node.peek(key).map(|(_, fields)| fields).or_else(|| self.node.arrived(key));
        let swapped = || self.swap.as_ref().filter(|_| self.node.is_swapped_out(key))?.peek(key);
        resident.or_else(swapped)
    }

    /// What a secret that was superseded, however long ago, shows here.
    pub(crate) fn before_change(&self, key: SessionKey, secret: Secret, now: Instant) -> Option<Fields> {
        self.node.before_change(key, secret, Duration::MAX, self.time(now)).map(|(_, fields)| fields)
    }

    /// Whether it runs, serves, and has the complete state.
    pub(crate) fn is_well(&self) -> bool {
        !self.paused && self.node.state() == NodeState::Ready
    }
}
