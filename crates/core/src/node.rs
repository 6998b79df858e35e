//! One process of the cluster: the roster and the shards, put together.
//!
//! Every method is given the time, never blocks, and appends what has to be done to `effects`. The caller
//! carries out all effects of a call, those for one destination in their order.

mod listing;
mod looking;
mod storing;
mod unsent;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

pub use crate::roster::{Closed, Gate, MemberRow, NodeState};
pub use listing::SessionRow;
pub use looking::Counters;
pub use storing::{Glance, Resident, Saveable, Survey};
pub use world::PeerInfo;

use crate::key::SHARDS;
use crate::population::Population;
use crate::roster::Roster;
use crate::shard::Shard;
use crate::{
    AppId, Candidate, Changes, Effects, EndReason, Incarnation, Instant, Opening, Proof, QuestionId, Refusal,
    SessionKey, Settings, Ticket,
};
use unsent::Unsent;

/// The replication state machine of one process.
///
/// Requests go `gate` → [`open`](Self::open) → [`commit`](Self::commit) → wait for `Effect::Settled` →
/// [`close`](Self::close) → `gate` → answer. The network side calls [`link_up`](Self::link_up),
/// [`received`](Self::received), [`acknowledge`](Self::acknowledge) and [`tick`](Self::tick).
///
/// All methods take `&self`: sixteen shards and the roster have short locks of their own, so threads only
/// wait for each other when they touch the same slice of the sessions.
///
/// ```
/// # use std::time::Duration;
/// # use sessile_core::*;
/// let settings = Settings::new(Incarnation(1), "tc01");
/// let (now, mut frames) = (Instant::ORIGIN, Vec::new());
/// let mut effects = Effects::new(&mut frames);
/// let node = Node::alone(settings, now);
/// let (key, secret) = (SessionKey([1; 16]), Secret([2; 16]));
/// let mut changes = Changes::create(AppId(1), secret, Duration::from_secs(1800), None);
/// changes.put(FieldName::attribute("cart").unwrap(), Some(Value::raw("umbrella")));
/// node.commit(key, &changes, None, now, &mut effects).unwrap();
/// let opening = node.open_at_once(key, Proof::Secret(secret), now, &mut effects);
/// assert!(matches!(opening, Some(Opening::Open(_))));
/// ```
#[derive(Debug)]
pub struct Node {
    settings: Arc<Settings>,
    // Locked before any shard, never after.
    roster: Mutex<Roster>,
    shards: Box<[Mutex<Shard>]>,
    population: Arc<Population>,
    unsent: Mutex<Unsent>,
    /// Held while an acknowledgement is made and sent, so that those to one process leave in the order of
    /// their lines: several connections of it may be read at once. Locked before a shard.
    acknowledging: [Mutex<()>; SHARDS],
    published: Mutex<Published>,
    frames_skipped: AtomicU64,
    /// Somebody wants `Effect::Notice`.
    listened_to: AtomicBool,
}

/// The roster as the shards know it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Published {
    expirers: Vec<Incarnation>,
    wanted: u32,
    is_complete: bool,
    /// It is or was ready: what it got until then was the state, which happened before.
    has_served: bool,
    /// Shards tell what happens.
    announced: bool,
    others: Vec<Candidate>,
}

impl Node {
    /// A process that looks for its cluster.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let settings = Arc::new(settings);
        Self::with_roster(Roster::new(settings.clone(), now), settings, now)
    }

    /// A process whose sessions stay on it (manager `local`): ready at once, and never has members.
    pub fn alone(settings: Settings, now: Instant) -> Self {
        let settings = Arc::new(settings);
        let node = Self::with_roster(Roster::alone(settings.clone(), now), settings, now);
        node.publish(&node.roster.lock());
        node
    }

    fn with_roster(roster: Roster, settings: Arc<Settings>, now: Instant) -> Self {
        let population = Arc::<Population>::default();
        let shard = |number| Mutex::new(Shard::new(number as u8, settings.clone(), population.clone(), now));
        Self {
            roster: Mutex::new(roster),
            shards: (0..SHARDS).map(shard).collect(),
            population,
            unsent: Mutex::default(),
            acknowledging: Default::default(),
            published: Mutex::new(Published::default()),
            frames_skipped: AtomicU64::new(0),
            listened_to: AtomicBool::new(false),
            settings,
        }
    }

    /// Whether a request may open a session, and whether a response may go: to be asked at both times.
    pub fn gate(&self, now: Instant) -> Gate {
        self.roster.lock().gate(now)
    }

    /// Opens a session for a request, while the gate is open, if that needs nobody else: gives `Open` or
    /// `Absent`, or nothing where [`open`](Self::open) has to ask.
    pub fn open_at_once(
        &self,
        key: SessionKey,
        proof: Proof,
        now: Instant,
        effects: &mut Effects,
    ) -> Option<Opening> {
        self.shard(key).lock().open_at_once(key, proof, now, effects)
    }

    /// Opens a session for a request, while the gate is open. Where it gives `Asking`, `Effect::Answered`
    /// follows with `question`, perhaps in this very `effects`.
    pub fn open(
        &self,
        key: SessionKey,
        proof: Proof,
        question: QuestionId,
        now: Instant,
        effects: &mut Effects,
    ) -> Opening {
        self.shard(key).lock().open(key, proof, question, now, effects)
    }

    /// Opens it after `Effect::Answered`, while the gate is open: gives `Open` or `Absent`. Where the gate
    /// has closed, the members' answers decide nothing.
    ///
    /// The answers may have been overtaken, and the session asked for once more: then `Asking` again.
    pub fn open_answered(
        &self,
        key: SessionKey,
        proof: Proof,
        question: QuestionId,
        now: Instant,
        effects: &mut Effects,
    ) -> Opening {
        self.shard(key).lock().open_answered(key, proof, question, now, effects)
    }

    /// The request that opened the session is over. Once for every `Opening::Open`.
    pub fn close(&self, key: SessionKey, now: Instant) {
        self.shard(key).lock().close(key, now);
    }

    /// Whether a session could be created now.
    pub fn has_room(&self) -> bool {
        self.population.count() < self.settings.bounds.max_active
    }

    /// Commits the changes of one request: one timestamp, applied in one section, staged for every member.
    /// `Effect::Settled` follows with the ticket, perhaps in this very `effects`; without a ticket nobody is
    /// told.
    ///
    /// # Errors
    /// A [`Refusal`] that says why; then nothing was applied.
    pub fn commit(
        &self,
        key: SessionKey,
        changes: &Changes,
        ticket: Option<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let mut commit = || self.shard(key).lock().commit(key, changes, ticket, now, effects);
        if changes.creates() {
            self.population.created(self.settings.bounds.max_active, Refusal::Full, commit)
        } else {
            commit()
        }
    }

    /// Whether some member is so far behind that a change of this session would be backlog to it instead of
    /// being sent: whoever commits may want to slow down.
    pub fn is_congested(&self, key: SessionKey) -> bool {
        self.shard(key).lock().is_congested()
    }

    /// Ends a session for good, known here or not. Synchronous in every mode; never undone.
    /// `Effect::Settled` follows with the ticket.
    pub fn end(&self, key: SessionKey, ticket: Option<Ticket>, now: Instant, effects: &mut Effects) {
        self.shard(key).lock().end(key, EndReason::Invalidated, ticket, now, effects);
    }

    /// The same for a session that no member holds, because its bearer carries its content: members remember
    /// for `keep` that it ended, the newest million of such ends or so.
    pub fn end_carried(
        &self,
        key: SessionKey,
        app: AppId,
        keep: Duration,
        ticket: Option<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) {
        self.shard(key).lock().end_carried(key, app, keep, ticket, now, effects);
    }

    /// Whether a commit or an end of this node on a session is not settled: a response that read the session
    /// waits for it, with [`await_settled`](Self::await_settled).
    pub fn is_settled(&self, key: SessionKey) -> bool {
        self.shard(key).lock().unsettled(key).is_none()
    }

    /// `Effect::Settled` follows with the ticket once the newest commit or end of this node on a session is
    /// settled. False when all are: then nothing follows.
    pub fn await_settled(&self, key: SessionKey, ticket: Ticket) -> bool {
        self.shard(key).lock().await_settled(key, ticket)
    }

    /// From now on, or not any more, `Effect::Notice` tells every change of every session, whoever made it.
    /// Without listeners it costs nothing. What a node holds when it becomes ready for the first time is not
    /// announced.
    pub fn listen(&self, somebody: bool) {
        self.listened_to.store(somebody, Ordering::Relaxed);
        self.publish(&self.roster.lock());
    }

    fn shard(&self, key: SessionKey) -> &Mutex<Shard> {
        &self.shards[key.shard()]
    }

    fn publish(&self, roster: &Roster) {
        let mut published = self.published.lock();
        let has_served = published.has_served || roster.serves();
        let now = Published {
            expirers: roster.expirers(),
            wanted: roster.wanted(),
            is_complete: roster.is_complete(),
            others: roster.candidates(),
            has_served,
            announced: has_served && self.listened_to.load(Ordering::Relaxed),
        };
        if *published == now {
            return;
        }
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.set_expirers(&now.expirers);
            shard.set_cluster(now.wanted);
            shard.set_complete(now.is_complete);
            shard.set_has_listeners(now.announced);
            shard.set_candidates(&now.others);
        }
        *published = now;
    }
}

/// An application is a number here; nodes agree on it without talking.
impl AppId {
    /// The number of the application at a context path, the same on every node.
    pub fn of_path(path: &str) -> Self {
        let hash = blake3::derive_key("sessile application path v1", path.as_bytes());
        Self(u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]))
    }
}
