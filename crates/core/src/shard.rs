//! One slice of the sessions: the unit of locking. All replication of these sessions happens here.
//!
//! A shard knows which members must have its sessions and nothing of how they became members: leases,
//! joins and removals are the roster's. Follow a change from `commit.rs` (staged for every stream) through
//! `flow.rs` (sent, acknowledged, sent again) to `receive.rs` (applied on the other side). `compare.rs`
//! finds what two members hold differently, `ask.rs` finds a session that is not here, `expire.rs` ends
//! those that nobody uses. `together.rs` has copies travel several to a frame.

mod ask;
mod commit;
mod compare;
mod expire;
mod flow;
mod notify;
pub(crate) mod peer_stream;
mod receive;
mod request;
mod settle;
mod stored;
mod together;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::marks::BirthMarks;
use crate::node::{Backlog, NegativeAcks};
use crate::population::Population;
use crate::session::Session;
use crate::table::Table;
use crate::tombstone::{Tombstone, event_id};
use crate::{
    Candidate, Effect, Effects, Event, Histogram, Incarnation, Instant, SessionKey, Settings, Ticket,
    Timestamp,
};

use ask::{Question, Replies};
use compare::Comparison;
pub(crate) use compare::ComparisonOutcome;
use expire::TIDY_PERIOD;
pub(crate) use expire::UNANNOUNCED_SHARE;
use peer_stream::PeerStream;
use settle::Pending;
pub use stored::Restored;
use stored::Stub;

/// Shards in every node of this protocol version: a listing of one shard must mean the same everywhere.
pub(crate) const SHARDS: usize = 16;

/// Ends remembered in one shard; beyond it the oldest are forgotten and birth marks have to serve.
const TOMBSTONES_MAX: usize = 1 << 16;

/// As many of them are forgotten at once then.
const TOMBSTONES_FORGOTTEN: usize = TOMBSTONES_MAX / 16;

/// What a shard did, beside its effects.
#[derive(Debug, Default)]
pub(crate) struct ShardCounters {
    pub(crate) asks: u64,
    pub(crate) negative_acks: NegativeAcks,
    pub(crate) conflicts: u64,
    pub(crate) late_writes: u64,
    pub(crate) restarts: u64,
    pub(crate) copies_refused: u64,
    /// Frames that came before their turn.
    pub(crate) frames_early: u64,
    /// Times that a sender was told that something is missing.
    pub(crate) gaps: u64,
    pub(crate) expired: u64,
    pub(crate) repaired: u64,
    pub(crate) created: u64,
    pub(crate) invalidated: u64,
    /// How long members took to confirm what they were sent.
    pub(crate) confirmed_after: Histogram,
}

/// The sessions of one shard and their replication.
#[derive(Debug)]
pub(crate) struct Shard {
    number: u8,
    settings: Arc<Settings>,
    /// The writer in this node's timestamps.
    writer: Incarnation,
    table: Table,
    /// Sessions whose content is in the store.
    stubs: BTreeMap<SessionKey, Stub>,
    /// Bytes of the copies that wait in them.
    arrived_bytes: usize,
    tombstones: BTreeMap<SessionKey, Tombstone>,
    marks: BirthMarks,
    births: u64,
    streams: BTreeMap<Incarnation, PeerStream>,
    last_epoch: u32,
    pending: BTreeMap<Ticket, Pending>,
    /// The newest unsettled commit of a session.
    unsettled: BTreeMap<SessionKey, Ticket>,
    /// Commits and questions are numbered by it.
    numbers: u64,
    asks: BTreeMap<SessionKey, Question>,
    comparisons: BTreeMap<Incarnation, Comparison>,
    comparison_number: u32,
    /// Members that may end idle sessions, this node included if it may.
    expirers: Vec<Incarnation>,
    /// Uses that a member announced nobody died with it: until this passed, idle sessions get more time.
    lost_member_at: Option<Instant>,
    scan: u32,
    stub_scan: Option<SessionKey>,
    tidied_at: Instant,
    /// Copies that a commit wants which waits for everybody, the writer's own included.
    wanted: u32,
    /// This node and the other members, as the ack_set sees them.
    own: Candidate,
    others: Vec<Candidate>,
    /// What members said of sessions, until the request that asked looks.
    answered: BTreeMap<SessionKey, Replies>,
    /// Comparisons that ended since the node looked.
    pub(crate) outcomes: Vec<ComparisonOutcome>,
    /// Others may join from this node.
    pub(crate) is_complete: bool,
    /// Somebody listens to what happens here.
    announced: bool,
    /// Notices made so far.
    notices: u64,
    pub(crate) counters: ShardCounters,
}

impl Shard {
    pub(crate) fn new(
        number: u8,
        settings: Arc<Settings>,
        population: Arc<Population>,
        now: Instant,
    ) -> Self {
        Self {
            number,
            writer: planted!(settings.incarnation => writer(&settings)),
            table: Table::new(population),
            stubs: BTreeMap::new(),
            arrived_bytes: 0,
            tombstones: BTreeMap::new(),
            marks: BirthMarks::default(),
            births: 0,
            streams: BTreeMap::new(),
            last_epoch: 0,
            pending: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            numbers: 0,
            asks: BTreeMap::new(),
            comparisons: BTreeMap::new(),
            comparison_number: 0,
            expirers: Vec::new(),
            lost_member_at: None,
            scan: 0,
            stub_scan: None,
            // Shards take turns.
            tidied_at: now.plus(TIDY_PERIOD * u32::from(number) / SHARDS as u32),
            wanted: settings.copies.unwrap_or(1),
            own: Candidate { incarnation: settings.incarnation, name: settings.name.clone() },
            others: Vec::new(),
            answered: BTreeMap::new(),
            outcomes: Vec::new(),
            is_complete: false,
            announced: false,
            notices: 0,
            counters: ShardCounters::default(),
            settings,
        }
    }

    // ---- members ----

    /// From now on this member must have every session. What is staged is backlog to it.
    pub(crate) fn add_member(&mut self, incarnation: Incarnation, now: Instant, effects: &mut Effects) {
        if self.streams.contains_key(&incarnation) {
            return;
        }
        self.last_epoch += 1;
        let mut stream = PeerStream::new(self.last_epoch, now);
        if planted!(true => awaits_joiner(&self.settings, incarnation)) {
            for key in self.streams.values().flat_map(PeerStream::unconfirmed) {
                stream.add_to_backlog(key, []);
            }
        }
        self.streams.insert(incarnation, stream);
        for asking in self.asks.values_mut() {
            asking.also(incarnation);
        }
        self.pump(incarnation, now, effects);
    }

    /// This member is out: nobody waits for it any more.
    pub(crate) fn remove_member(
        &mut self,
        incarnation: Incarnation,
        clean: bool,
        now: Instant,
        effects: &mut Effects,
    ) {
        let Some(stream) = self.streams.remove(&incarnation) else { return };
        self.last_epoch = self.last_epoch.max(stream.epoch());
        self.comparisons.remove(&incarnation);
        if !clean {
            self.lost_member_at = Some(now);
        }
        let tickets: Vec<Ticket> = self.pending.keys().copied().collect();
        for ticket in tickets {
            self.no_longer_awaits(ticket, incarnation, effects);
        }
        self.asks_without(incarnation, now, effects);
    }

    /// Every member is out of this node's view, because it is out of theirs.
    pub(crate) fn remove_all(&mut self, now: Instant, effects: &mut Effects) {
        self.give_up_asks(effects);
        let incarnations: Vec<Incarnation> = self.streams.keys().copied().collect();
        for incarnation in incarnations {
            self.remove_member(incarnation, false, now, effects);
        }
    }

    pub(crate) fn set_linked(
        &mut self,
        incarnation: Incarnation,
        linked: bool,
        now: Instant,
        effects: &mut Effects,
    ) {
        if let Some(stream) = self.streams.get_mut(&incarnation) {
            stream.linked = linked;
        }
        self.resend(incarnation, now, effects);
    }

    /// What is on the way to this member may be lost.
    pub(crate) fn resend(&mut self, incarnation: Incarnation, now: Instant, effects: &mut Effects) {
        if let Some(stream) = self.streams.get_mut(&incarnation) {
            stream.resume();
            stream.restart();
            self.pump(incarnation, now, effects);
        }
    }

    /// Some of what is on the way to this member is lost.
    pub(crate) fn frames_lost(&mut self, to: Incarnation, now: Instant, effects: &mut Effects) {
        if self.streams.get(&to).is_some_and(|stream| !stream.in_flight.is_empty()) {
            self.counters.restarts += 1;
            self.resend(to, now, effects);
        }
    }

    /// This node begins the cluster from what it remembers, while a member that knows more may only be stopped. What is
    /// written from now on is later than anything that member holds, so it has to win over it.
    pub(crate) fn advance_clock(&mut self, now: Instant, effects: &mut Effects) {
        if self.held() == 0 {
            return;
        }
        self.table.touch_all(Session::advance_clock);
        self.stubs.values_mut().for_each(|stub| stub.skeleton.advance_clock());
        self.streams.values_mut().for_each(PeerStream::backlog_everything);
        self.pump_all(now, effects);
    }

    pub(crate) fn set_expirers(&mut self, expirers: &[Incarnation]) {
        self.expirers = expirers.to_vec();
    }

    /// Copies that a commit wants from now on.
    pub(crate) fn set_wanted(&mut self, wanted: u32) {
        self.wanted = self.settings.copies.unwrap_or(wanted);
    }

    pub(crate) fn set_candidates(&mut self, others: &[Candidate]) {
        self.others = others.to_vec();
    }

    // ---- looking ----

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// Copies of one session that are known to be complete, this node's included.
    pub(crate) fn copies(&self, key: SessionKey) -> u32 {
        let held = self.streams.values().filter(|stream| !stream.needs_copy(key)).count();
        1 + u32::try_from(held).unwrap_or(u32::MAX)
    }

    /// Sessions with fewer copies than wanted.
    pub(crate) fn at_risk(&self) -> u64 {
        let sessions = self.held() as u64;
        if (self.streams.len() as u64) + 1 < u64::from(self.wanted) {
            return sessions;
        }
        let walking = self.streams.values().any(|stream| stream.walk.is_some());
        let backlog = self.streams.values().map(|stream| stream.backlog_len() as u64).max().unwrap_or(0);
        if walking { sessions } else { backlog.min(sessions) }
    }

    /// What is backlog to a member or on the way to it; where everything is backlog, all sessions count.
    pub(crate) fn backlog(&self, to: Incarnation, now: Instant) -> Backlog {
        let Some(stream) = self.streams.get(&to) else { return Backlog::none(to) };
        let backlog = if stream.walk.is_some() { self.held() } else { stream.backlog_len() };
        Backlog {
            to,
            sessions: backlog as u64,
            unacknowledged: stream.unacknowledged() as u64,
            bytes: stream.unconfirmed_bytes() as u64,
            age: stream.unconfirmed_for(now),
        }
    }

    /// How long each member has acknowledged nothing although something is on the way to it.
    pub(crate) fn stalls(&self, now: Instant) -> impl Iterator<Item = (Incarnation, Duration)> {
        self.streams.iter().map(move |(incarnation, stream)| (*incarnation, stream.stalled_for(now)))
    }

    /// The age of the oldest change that some member has not confirmed.
    fn unconfirmed_for(&self, now: Instant) -> Duration {
        let oldest = self.streams.values().filter_map(PeerStream::oldest).min();
        oldest.map_or(Duration::ZERO, |oldest| now.since(oldest))
    }

    /// A session that no member holds ended before this node started.
    pub(crate) fn remember_end(&mut self, key: SessionKey, end: Tombstone) {
        self.tombstones.entry(key).or_insert(end);
        self.forget_oldest_ends();
    }

    pub(crate) fn end_of(&self, key: SessionKey) -> Option<&Tombstone> {
        self.tombstones.get(&key)
    }

    // ---- content ----

    /// The timestamp of a commit that happens now.
    fn timestamp(&self, key: SessionKey) -> Option<Timestamp> {
        let session = self.table.get(key)?;
        let clock = planted!(session.clock => commit_clock(&self.settings, session));
        Some(Timestamp::new(clock + 1, self.writer))
    }

    /// Remembers an end, which another member announced or this node made, and drops the copy; returns false if nothing
    /// changed.
    fn record_end(
        &mut self,
        key: SessionKey,
        end: Tombstone,
        announced_by: Option<Incarnation>,
        effects: &mut Effects,
    ) -> bool {
        let known = self.tombstones.get(&key).copied();
        let stub = self.take_stub(key);
        let in_memory = self.table.remove(key);
        self.marks.saw(end.birth);
        let held = in_memory.or(stub.map(|stub| self.give_up(stub, effects)));
        let mut end = known.map_or(end, |known| known.merge(end));
        if let (Some(session), Some(by)) = (&held, announced_by) {
            (end.app, end.announced_by) = (session.app, Some(by));
        }
        self.tombstones.insert(key, end);
        self.forget_oldest_ends();
        if let Some(session) = &held {
            let remote = announced_by.is_some();
            self.marks.saw(session.birth());
            self.notify_ended(session, end.reason, remote, effects);
            effects.push(Effect::SessionEnded { key });
            effects.event(Event::Ended {
                key,
                app: session.app,
                reason: end.reason,
                event_id: event_id(key),
                remote,
            });
        }
        self.note_change(key, announced_by.is_none(), effects);
        held.is_some() || known.is_none()
    }

    /// A store lacks this from now on.
    fn note_change(&self, key: SessionKey, here: bool, effects: &mut Effects) {
        if self.settings.stores {
            effects.push(Effect::Changed { key, here });
        }
    }

    /// Many at once, so that a flood of ends does not look at all of them for each.
    fn forget_oldest_ends(&mut self) {
        if self.tombstones.len() <= TOMBSTONES_MAX {
            return;
        }
        let mut ends: Vec<_> = self.tombstones.iter().map(|(key, end)| (end.since, *key)).collect();
        ends.select_nth_unstable(TOMBSTONES_FORGOTTEN);
        for (_, key) in &ends[..TOMBSTONES_FORGOTTEN] {
            self.tombstones.remove(key);
        }
    }
}
