//! A node of the core with what it lacks: a clock, a way out, and somebody who wakes those who wait.
//!
//! Every call into the core goes through [`Engine::step`], which tells it the time and carries out what it
//! decided.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::Mutex;
use sessile_core::{Effect, Effects, Incarnation, Instant, Malformed, Message, Node, Settings};
use sessile_group::{Channel, Peer};

use super::clock::Clock;
use super::event_log::EventLog;
use super::frame_sender::{CallFrames, FrameCounts, FrameSender};
use super::listeners::Listeners;
use super::local_values::LocalTable;
use super::messages::post::Post;
use super::persist::Persist;
use super::planted::Planted;
use super::poison::Poison;
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
    pub(crate) frame_sender: Option<FrameSender>,
    pub(crate) sending: Sending,
    pub(crate) received: FrameCounts,
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
    pub(crate) poison: Poison,
    /// Addresses where somebody is who said nothing when the time for the first search was over, while it
    /// goes on.
    pub(crate) silent: Mutex<Vec<SocketAddr>>,
    /// This node must not join: about what it disagrees with which member.
    pub(crate) disagreement: OnceLock<(String, String)>,
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
        let engine =
            Self::of(Clock::start(), |now| Node::new(settings, now), Some(FrameSender::new(channel)));
        Self { sending, planted, ..engine }
    }

    /// A node that never has members.
    pub(crate) fn alone(settings: Settings) -> Self {
        Self::of(Clock::start(), |now| Node::alone(settings, now), None)
    }

    /// Any node, with the clock and the way out that it has.
    pub(crate) fn of(
        clock: Clock,
        node: impl FnOnce(Instant) -> Node,
        frame_sender: Option<FrameSender>,
    ) -> Self {
        Self {
            node: node(clock.now()),
            clock,
            waiters: Waiters::default(),
            event_log: EventLog::default(),
            listeners: Listeners::default(),
            local_values: LocalTable::default(),
            post: Post::default(),
            frame_sender,
            sending: Sending::default(),
            received: FrameCounts::default(),
            malformed: AtomicU64::new(0),
            gate_waits: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            discarded: AtomicU64::new(0),
            replayed: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            persist: OnceLock::new(),
            poison: Poison::default(),
            silent: Mutex::default(),
            disagreement: OnceLock::new(),
            planted: Planted::default(),
        }
    }

    /// Throws all events away, to show that nothing but logs and counters depends on them.
    #[cfg(feature = "by_hand")]
    pub(crate) fn without_events(self) -> Self {
        Self { event_log: EventLog::discarding(), ..self }
    }

    /// This node disagrees with this member, and one of them is strict: it does not join.
    pub(crate) fn disagree(&self, member: String, about: String) {
        let _first = self.disagreement.set((member, about));
        self.waiters.gate.notify_waiters();
    }

    /// One call into the core, and then everything that it decided. Its frames are on their way before that.
    pub(crate) fn step<R>(&self, call: impl FnOnce(&Node, Instant, &mut Effects) -> R) -> R {
        self.step_on(0, call)
    }

    /// The same, with the changes that it sends on that connection.
    pub(crate) fn step_on<R>(
        &self,
        connection: usize,
        call: impl FnOnce(&Node, Instant, &mut Effects) -> R,
    ) -> R {
        let _guard = self.poison.guard(&self.waiters);
        let mut frames = CallFrames::new(self.frame_sender.as_ref(), connection);
        let mut effects = Effects::new(&mut frames);
        let result = call(&self.node, self.clock.now(), &mut effects);
        let decided = effects.into_decided();
        frames.flush();
        decided.into_iter().for_each(|effect| self.carry_out(effect));
        result
    }

    /// All frames of one read: their effects are carried out together, and one acknowledgement goes back.
    pub(crate) fn receive(&self, from: &Peer, frames: &[Bytes]) -> Result<(), Malformed> {
        let incarnation = Incarnation(from.incarnation);
        self.step(|node, now, effects| {
            let taken = frames.iter().try_for_each(|frame| {
                self.received.count(frame);
                match Message::of(frame)? {
                    Some(message) => {
                        self.post.deliver(from, &message, frame);
                        Ok(())
                    }
                    None => node.received(incarnation, frame, now, effects),
                }
            });
            node.acknowledge(incarnation, effects);
            taken
        })
    }

    fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Settled { ticket, receipt } => self.waiters.settled(ticket, receipt),
            Effect::Answered { question } => self.waiters.answered(question),
            Effect::GateMoved => self.waiters.gate.notify_waiters(),
            Effect::Forget { incarnation } => {
                // Not barred from connecting: it has to be told that it is barred.
                if let Some(sender) = &self.frame_sender {
                    sender.channel.forget(incarnation.0);
                }
            }
            Effect::Undelivered { to, frame } => self.node.undelivered(to, frame),
            Effect::Fetch { key } => self.with_store(|persist| persist.order(key)),
            Effect::Changed { key, here } => self.with_store(|persist| persist.changed(key, here)),
            Effect::SessionEnded { key } => self.local_values.forget(key),
            Effect::MemberLost => self.with_store(Persist::member_lost),
            Effect::Event(event) => self.event_log.note(event),
            // A call that failed in the middle told nothing: what comes after would wait for it for ever.
            Effect::Notice { .. } if self.poison.is_poisoned() => {}
            Effect::Notice { shard, sequence, notice } => self.listeners.tell(shard, sequence, notice),
        }
    }

    /// Without a store nothing is swapped out, and nobody asks what changed.
    fn with_store(&self, tell: impl FnOnce(&Persist)) {
        if let Some(persist) = self.persist.get() {
            tell(persist);
        }
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
pub struct Running(Arc<Engine>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
