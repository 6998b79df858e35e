//! A node of the core with what it lacks: a clock, a way out, and somebody who wakes those who wait.
//!
//! Every call into the core goes through [`Engine::step`], which tells it the time and carries out what it decided.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use sessile_core::{Effect, Effects, Event, Incarnation, Instant, Malformed, Message, Node, Settings};
use sessile_group::{Channel, Peer, Refusal};

use super::clock::Clock;
use super::event_log::EventLog;
use super::fuse::Fuse;
use super::inlet::{EarlyCounts, Inlet};
use super::listeners::Listeners;
use super::local_values::LocalTable;
use super::messages::post::Post;
use super::outlet::{FrameCounts, Outlet};
use super::persist::Persist;
use super::planted::Planted;
use super::sending::Sending;
use super::waiters::Waiters;

/// A living node.
pub(crate) struct Engine {
    pub(crate) node: Node,
    pub(crate) clock: Clock,
    pub(crate) waiters: Waiters,
    pub(crate) event_log: EventLog,
    pub(crate) listeners: Listeners,
    pub(crate) local_values: LocalTable,
    pub(crate) post: Post,
    /// `None` on a node that keeps its sessions for itself.
    pub(crate) outlet: Option<Outlet>,
    pub(crate) sending: Sending,
    pub(crate) received: FrameCounts,
    pub(crate) early: EarlyCounts,
    pub(crate) malformed: AtomicU64,
    pub(crate) gate_waits: AtomicU64,
    pub(crate) refusals: AtomicU64,
    /// Changes in place that did not travel and were dropped.
    pub(crate) discarded: AtomicU64,
    /// Requests that got the answer of the first time.
    pub(crate) replayed: AtomicU64,
    running: AtomicUsize,
    /// Where the sessions have a store.
    pub(crate) persist: OnceLock<Arc<Persist>>,
    pub(crate) fuse: Fuse,
    /// Whom this node met instead of its cluster.
    pub(crate) stranded: OnceLock<(SocketAddr, Refusal)>,
    pub(crate) planted: Planted,
}

impl Engine {
    /// The node of a cluster's member.
    pub(crate) fn member(
        settings: Settings,
        sending: Sending,
        channel: Box<dyn Channel>,
        planted: Planted,
    ) -> Self {
        let engine = Self::of(Clock::start(), |now| Node::new(settings, now), Some(Outlet::new(channel)));
        Self { sending, planted, ..engine }
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
            event_log: EventLog::default(),
            listeners: Listeners::default(),
            local_values: LocalTable::default(),
            post: Post::default(),
            outlet,
            sending: Sending::default(),
            received: FrameCounts::default(),
            early: EarlyCounts::default(),
            malformed: AtomicU64::new(0),
            gate_waits: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            discarded: AtomicU64::new(0),
            replayed: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            persist: OnceLock::new(),
            fuse: Fuse::default(),
            stranded: OnceLock::new(),
            planted: Planted::default(),
        }
    }

    /// This node met strangers only, and does not begin.
    pub(crate) fn strand(&self, met: (SocketAddr, Refusal)) {
        let _first = self.stranded.set(met);
        self.waiters.gate.notify_waiters();
    }

    /// One call into the core, and then everything that it decided.
    pub(crate) fn step<R>(&self, call: impl FnOnce(&Node, Instant, &mut Effects) -> R) -> R {
        self.step_on(0, call)
    }

    /// The same, with the changes that it sends on that lane.
    pub(crate) fn step_on<R>(&self, lane: usize, call: impl FnOnce(&Node, Instant, &mut Effects) -> R) -> R {
        let _guard = self.fuse.guard(&self.waiters);
        let mut effects = Effects::default();
        let result = call(&self.node, self.clock.now(), &mut effects);
        effects.into_iter().for_each(|effect| self.carry_out(effect, lane));
        result
    }

    /// All frames of one read: their effects are carried out together, and one acknowledgement goes back.
    pub(crate) fn receive(
        &self,
        from: &Peer,
        frames: &[Bytes],
        inlet: &Mutex<Inlet>,
    ) -> Result<(), Malformed> {
        let incarnation = Incarnation(from.incarnation);
        let _guard = self.fuse.guard(&self.waiters);
        self.step(|node, now, effects| {
            let mut inlet = inlet.lock();
            let taken = frames.iter().try_for_each(|frame| {
                self.received.count(frame);
                let is_ahead = |position| node.is_ahead(incarnation, position);
                let received = |frame: &Bytes| match Message::of(frame)? {
                    Some(message) => {
                        self.post.deliver(from, &message, frame);
                        Ok(())
                    }
                    None => node.received(incarnation, frame, now, effects),
                };
                inlet.take(frame, now, &self.early, is_ahead, received)
            });
            drop(inlet);
            node.acknowledge(incarnation, effects);
            taken
        })
    }

    /// Hands in the frames of `from` that have waited for `limit` for one before them.
    pub(crate) fn give_up_early(
        &self,
        from: Incarnation,
        limit: Duration,
        inlet: &Mutex<Inlet>,
    ) -> Result<(), Malformed> {
        self.step(|node, now, effects| {
            let received = |frame: &Bytes| node.received(from, frame, now, effects);
            let taken = inlet.lock().give_up_late(limit, now, &self.early, received);
            node.acknowledge(from, effects);
            taken
        })
    }

    fn carry_out(&self, effect: Effect, lane: usize) {
        match effect {
            Effect::Send { to, frame } => {
                if let Some(outlet) = &self.outlet {
                    outlet.send(to, lane, frame);
                }
            }
            Effect::Settled { ticket, receipt } => self.waiters.commits.arrive(ticket, receipt),
            Effect::Answered { ask } => self.waiters.asks.arrive(ask, ()),
            Effect::GateMoved => self.waiters.gate.notify_waiters(),
            Effect::Forget { incarnation } => {
                // Not barred from connecting: it has to be told that it is barred.
                if let Some(outlet) = &self.outlet {
                    outlet.channel.forget(incarnation.0);
                }
            }
            Effect::Fetch { key } => self.with_store(|persist| persist.order(key)),
            Effect::Changed { key, here } => self.with_store(|persist| persist.changed(key, here)),
            Effect::SessionEnded { key } => self.local_values.forget(key),
            Effect::MemberLost => self.with_store(Persist::member_lost),
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
        match (&event, &self.outlet) {
            (Event::MemberRemoved { incarnation, .. }, Some(outlet)) => {
                outlet.forget_order(|to| to == *incarnation)
            }
            (Event::SteppedOut { .. }, Some(outlet)) => outlet.forget_order(|_| true),
            _ => {}
        }
        self.event_log.note(event);
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
