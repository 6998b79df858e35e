//! A node of the core with what it lacks: a clock, a way out, and somebody who wakes those who wait.
//!
//! Every call into the core goes through [`Engine::step`], which tells it the time and carries out what it decided.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sessile_core::{Boot, Effect, Event, Instant, Malformed, Message, Node, Removal, Settings};
use sessile_group::{Channel, Peer, Refusal};

use super::clock::Clock;
use super::fuse::Fuse;
use super::journal::Journal;
use super::listeners::Listeners;
use super::local_values::LocalTable;
use super::messages::post::Post;
use super::outlet::{FrameCounts, Outlet};
use super::persist::Persist;
use super::waiters::Waiters;

/// A living node.
pub(crate) struct Engine {
    pub(crate) node: Node,
    pub(crate) clock: Clock,
    pub(crate) waiters: Waiters,
    pub(crate) journal: Journal,
    pub(crate) listeners: Listeners,
    pub(crate) local_values: LocalTable,
    pub(crate) post: Post,
    /// `None` on a node that keeps its sessions for itself.
    pub(crate) outlet: Option<Outlet>,
    pub(crate) received: FrameCounts,
    pub(crate) malformed: AtomicU64,
    pub(crate) gate_waits: AtomicU64,
    pub(crate) refusals: AtomicU64,
    /// Changes in place that did not travel and were dropped.
    pub(crate) discarded: AtomicU64,
    running: AtomicUsize,
    /// Where the sessions have a store.
    pub(crate) persist: OnceLock<Arc<Persist>>,
    pub(crate) fuse: Fuse,
    /// Whom this node met instead of its cluster.
    pub(crate) stranded: OnceLock<(SocketAddr, Refusal)>,
}

impl Engine {
    /// The node of a cluster's member.
    pub(crate) fn member(settings: Settings, channel: Box<dyn Channel>) -> Self {
        Self::of(Clock::start(), |now| Node::new(settings, now), Some(Outlet::new(channel)))
    }

    /// A node that never has members.
    pub(crate) fn alone(settings: Settings) -> Self {
        Self::of(Clock::start(), |now| Node::alone(settings, now), None)
    }

    /// Any node, with the clock and the way out that it has.
    pub(crate) fn of(clock: Clock, node: impl FnOnce(Instant) -> Node, outlet: Option<Outlet>) -> Self {
        Self {
            node: node(clock.now()),
            clock,
            waiters: Waiters::default(),
            journal: Journal::default(),
            listeners: Listeners::default(),
            local_values: LocalTable::default(),
            post: Post::default(),
            outlet,
            received: FrameCounts::default(),
            malformed: AtomicU64::new(0),
            gate_waits: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            discarded: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            persist: OnceLock::new(),
            fuse: Fuse::default(),
            stranded: OnceLock::new(),
        }
    }

    /// This node met strangers only, and does not begin.
    pub(crate) fn strand(&self, met: (SocketAddr, Refusal)) {
        let _first = self.stranded.set(met);
        self.waiters.gate.notify_waiters();
    }

    /// One call into the core, and then everything that it decided.
    pub(crate) fn step<R>(&self, call: impl FnOnce(&Node, Instant, &mut Vec<Effect>) -> R) -> R {
        let _guard = self.fuse.guard();
        let mut effects = Vec::new();
        let result = call(&self.node, self.clock.now(), &mut effects);
        effects.into_iter().for_each(|effect| self.carry_out(effect));
        result
    }

    /// All frames of one read: their effects are carried out together, and one acknowledgement goes back.
    pub(crate) fn receive(&self, from: &Peer, frames: &[Bytes]) -> Result<(), Malformed> {
        let boot = Boot(from.boot);
        let _guard = self.fuse.guard();
        self.step(|node, now, effects| {
            let taken = frames.iter().try_for_each(|frame| {
                self.received.count(frame);
                match Message::of(frame)? {
                    Some(message) => self.post.deliver(from, &message, frame),
                    None => node.received(boot, frame, now, effects)?,
                }
                Ok(())
            });
            node.acknowledge(boot, effects);
            taken
        })
    }

    fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Send { to, frame } => {
                if let Some(outlet) = &self.outlet {
                    outlet.send(to, frame);
                }
            }
            Effect::Settled { ticket, receipt } => self.waiters.commits.arrive(ticket, receipt),
            Effect::Answered { ask } => self.waiters.asks.arrive(ask, ()),
            Effect::GateMoved => self.waiters.gate.notify_waiters(),
            Effect::Forget { boot } => {
                // Not barred from connecting: it has to be told that it is barred.
                if let Some(outlet) = &self.outlet {
                    outlet.channel.forget(boot.0);
                }
            }
            Effect::Fetch { key } => self.with_store(|persist| persist.order(key)),
            Effect::Changed { key, here } => self.with_store(|persist| persist.changed(key, here)),
            Effect::Event(event) => self.note(event),
            // A call that failed in the middle told nothing: what comes after would wait for it for ever.
            Effect::Notice { .. } if self.fuse.is_blown() => {}
            Effect::Notice { shard, sequence, notice } => self.listeners.tell(shard, sequence, notice),
        }
    }

    /// Without a store nothing is swapped out, and nobody asks what changed.
    fn with_store(&self, tell: impl FnOnce(&Persist)) {
        if let Some(persist) = self.persist.get() {
            tell(persist);
        }
    }

    fn note(&self, event: Event) {
        if matches!(&event, Event::MemberRemoved { cause, .. } if *cause != Removal::Left) {
            self.with_store(Persist::member_lost);
        }
        match (&event, &self.outlet) {
            (Event::MemberRemoved { boot, .. }, Some(outlet)) => outlet.forget_order(|to| to == *boot),
            (Event::SteppedOut { .. }, Some(outlet)) => outlet.forget_order(|_| true),
            (Event::Ended { key, .. }, _) => self.local_values.forget(*key),
            (Event::BecameReady { .. } | Event::NameTaken { .. }, _) => self.waiters.gate.notify_waiters(),
            _ => {}
        }
        self.journal.note(event);
    }

    /// Counts a request until the guard is dropped.
    pub(crate) fn request(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(self))
    }

    /// Requests that are running now.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }
}

/// A request that is running; a graceful stop waits for it.
pub(crate) struct Running(Arc<Engine>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
