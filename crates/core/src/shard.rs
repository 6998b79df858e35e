//! One slice of the sessions: the unit of locking. All replication of these sessions happens here.
//!
//! A shard puts together the owners of its states, each in a file with its rules: `tombstones` and `stubs`
//! beside the table of sessions, `peers` with one `peer_stream` for each member (`in_flight`, `backlog`,
//! `arrivals`), `settling`, `questions`, `comparisons`, `expiry`, `notices`. Owners do not know the shard.
//! They say what follows, and the shard does it and sends what has to be sent.
//!
//! Follow a change from `commit` (staged for every member) through `send` (sent, acknowledged, sent again) to
//! `receive` (applied on the other side). `end` ends sessions, `compare` finds what two members hold
//! differently, `ask` finds a session that is not here, `restore` brings content back from a store, `tick`
//! does what nobody asked for.
//!
//! A shard knows which members must have its sessions, and nothing of how they became members: leases, joins
//! and removals are the roster's.

mod ask;
mod batch;
mod commit;
mod compare;
mod end;
mod receive;
mod request;
mod restore;
mod send;
mod tick;

pub(crate) mod arrivals;
mod backlog;
mod comparisons;
mod counters;
mod expiry;
pub(crate) mod in_flight;
pub(crate) mod listing;
mod notices;
pub(crate) mod peer_stream;
pub(crate) mod peers;
pub(crate) mod questions;
pub(crate) mod settling;
mod stubs;
mod tombstones;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::marks::BirthMarks;
use crate::population::Population;
use crate::session::Session;
use crate::table::Table;
use crate::tombstone::Tombstone;
use crate::{Candidate, Effect, Effects, Incarnation, Instant, SessionKey, Settings};

pub(crate) use comparisons::ComparisonOutcome;
use comparisons::Comparisons;
pub(crate) use counters::ShardCounters;
pub use counters::{Backlog, NegativeAcks};
use expiry::Expiry;
pub(crate) use notices::Notices;
use peers::Peers;
use questions::Questions;
pub use restore::Restored;
use settling::Settling;
use stubs::Stubs;
use tombstones::Tombstones;

/// The sessions of one shard and their replication.
#[derive(Debug)]
pub(crate) struct Shard {
    number: u8,
    settings: Arc<Settings>,
    /// The writer in this node's timestamps.
    writer: Incarnation,
    /// A session has a copy in the table, or a stub, or neither; never both. A live session has no tombstone.
    table: Table,
    stubs: Stubs,
    tombstones: Tombstones,
    marks: BirthMarks,
    /// Sessions that this node created here.
    births: u64,
    peers: Peers,
    settling: Settling,
    questions: Questions,
    comparisons: Comparisons,
    expiry: Expiry,
    notices: Notices,
    /// Sessions that have ended, as a member said when it refused a frame, and whose end has not come: at
    /// most those that are here (rule 5.14).
    announced_ends: BTreeMap<SessionKey, Incarnation>,
    /// Sessions of which there was no room for something newer: at most those that are here (rule 7.26).
    behind: BTreeSet<SessionKey>,
    /// Ends of requests that were uses of which others have to be told: at most one for each session (rule
    /// 7.12).
    uses: BTreeSet<SessionKey>,
    /// Members that were lost since the last tick, and since when their ends are to be notified here (rule
    /// 7.23).
    spoken_for: Vec<(Incarnation, Instant)>,
    /// Numbers given to questions, and to commits that nobody waits for.
    numbers: u64,
    /// This node and the other members, as the ack set sees them.
    own: Candidate,
    others: Vec<Candidate>,
    /// Others may join from this node.
    is_complete: bool,
    counters: ShardCounters,
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
            stubs: Stubs::default(),
            tombstones: Tombstones::default(),
            marks: BirthMarks::default(),
            births: 0,
            peers: Peers::default(),
            settling: Settling::new(settings.copies),
            questions: Questions::default(),
            comparisons: Comparisons::default(),
            expiry: Expiry::new(number, &settings, now),
            notices: Notices::new(number),
            announced_ends: BTreeMap::new(),
            behind: BTreeSet::new(),
            uses: BTreeSet::new(),
            spoken_for: Vec::new(),
            numbers: 0,
            own: Candidate { incarnation: settings.incarnation, name: settings.name.clone() },
            others: Vec::new(),
            is_complete: false,
            counters: ShardCounters::default(),
            settings,
        }
    }

    /// A number that this node gives to no other question or commit.
    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers << 8 | u64::from(self.number)
    }

    /// A store lacks this from now on.
    fn note_change(&self, key: SessionKey, here: bool, effects: &mut Effects) {
        if self.settings.stores {
            effects.push(Effect::Changed { key, here });
        }
    }
}

/// Decisions of the roster.
impl Shard {
    /// From now on this member must have every session.
    pub(crate) fn add_member(&mut self, member: Incarnation, now: Instant, effects: &mut Effects) {
        if self.peers.contains(member) {
            return;
        }
        let gets_unconfirmed = planted!(true => awaits_joiner(&self.settings, member));
        self.peers.add(member, gets_unconfirmed, now);
        self.questions.add_member(member);
        self.pump(member, now, effects);
    }

    /// This member is out: nobody waits for it any more. If not `clean`, it died or was given up.
    pub(crate) fn remove_member(
        &mut self,
        member: Incarnation,
        clean: bool,
        now: Instant,
        effects: &mut Effects,
    ) {
        if !self.peers.remove(member) {
            return;
        }
        self.comparisons.remove_member(member);
        self.announced_ends.retain(|_, by| *by != member);
        if !clean && !planted!(self.settings, 1003) {
            self.expiry.member_lost(now);
        }
        self.settling.give_up_all(member, effects);
        self.ask_without(member, now, effects);
    }

    /// Every member is out of this node's view, because it is out of theirs.
    pub(crate) fn remove_all(&mut self, now: Instant, effects: &mut Effects) {
        self.give_up_questions(effects);
        for member in self.peers.members().collect::<Vec<_>>() {
            self.remove_member(member, false, now, effects);
        }
    }

    /// Frames can be sent to a member, or cannot. In both cases what is on the way may be lost.
    pub(crate) fn set_linked(
        &mut self,
        member: Incarnation,
        linked: bool,
        now: Instant,
        effects: &mut Effects,
    ) {
        if let Some(stream) = self.peers.get_mut(member) {
            stream.linked = linked;
        }
        self.resend(member, now, effects);
    }

    /// Frames on the way to this member may be lost.
    pub(crate) fn resend(&mut self, member: Incarnation, now: Instant, effects: &mut Effects) {
        if let Some(stream) = self.peers.get_mut(member) {
            stream.resume();
            stream.restart();
            self.pump(member, now, effects);
        }
    }

    /// Some of what is on the way to this member is lost.
    pub(crate) fn frames_lost(&mut self, member: Incarnation, now: Instant, effects: &mut Effects) {
        if self.peers.get(member).is_some_and(|stream| !stream.in_flight.is_empty()) {
            self.counters.restarts += 1;
            self.resend(member, now, effects);
        }
    }

    /// This node founds the cluster from what it remembers, while a member that knows more may only be
    /// paused. What is written from now on must be later than anything that member holds (rule 5.11).
    pub(crate) fn advance_clocks(&mut self, now: Instant, effects: &mut Effects) {
        if self.held() == 0 {
            return;
        }
        self.table.touch_all(Session::advance_clock);
        self.stubs.touch_all(Session::advance_clock);
        self.peers.add_all_to_backlogs();
        self.pump_all(now, effects);
    }

    /// The members that may end idle sessions.
    pub(crate) fn set_expirers(&mut self, expirers: &[Incarnation]) {
        self.expiry.set_expirers(expirers);
    }

    /// The size of the cluster, lost members included.
    pub(crate) fn set_cluster(&mut self, size: u32) {
        self.settling.set_cluster(if planted!(self.settings, 1010) { 1 } else { size });
    }

    pub(crate) fn set_candidates(&mut self, others: &[Candidate]) {
        self.others = others.to_vec();
    }

    /// Whether others may join from this node.
    pub(crate) fn set_complete(&mut self, is_complete: bool) {
        self.is_complete = is_complete;
    }

    /// Somebody listens, or nobody does any more.
    pub(crate) fn set_has_listeners(&mut self, has_listeners: bool) {
        self.notices.set_wanted(has_listeners);
    }

    pub(crate) fn take_outcomes(&mut self) -> Vec<ComparisonOutcome> {
        self.comparisons.take_outcomes()
    }
}

/// Views from outside.
impl Shard {
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    pub(crate) fn counters(&self) -> &ShardCounters {
        &self.counters
    }

    /// The session as it is known here, in memory or not; without its content if that is only in a store.
    pub(crate) fn known(&self, key: SessionKey) -> Option<&Session> {
        self.table.get(key).or_else(|| self.stubs.get(key).map(|stub| stub.session()))
    }

    pub(crate) fn end_of(&self, key: SessionKey) -> Option<&Tombstone> {
        self.tombstones.get(key)
    }

    pub(crate) fn is_swapped_out(&self, key: SessionKey) -> bool {
        self.stubs.contains(key)
    }

    /// The copy that came from a member while the own content is in a store.
    pub(crate) fn arrived(&self, key: SessionKey) -> Option<&Session> {
        self.stubs.get(key)?.arrived()
    }

    /// Bytes of everything that is here of sessions, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes() + self.stubs.bytes()
    }

    /// Sessions whose content is only in a store.
    pub(crate) fn swapped_out(&self) -> usize {
        self.stubs.len()
    }

    /// All sessions that live here, in memory or not.
    pub(crate) fn held(&self) -> usize {
        self.table.len() + self.stubs.len()
    }

    /// Copies of one session that are known to be complete, this node's included.
    pub(crate) fn copies(&self, key: SessionKey) -> u32 {
        let held = self.peers.iter().filter(|(_, stream)| !stream.backlog.needs_copy(key)).count();
        1 + u32::try_from(held).unwrap_or(u32::MAX)
    }

    /// Sessions with fewer copies than wanted.
    pub(crate) fn at_risk(&self) -> u64 {
        let sessions = self.held() as u64;
        if (self.peers.len() as u64) + 1 < u64::from(self.settling.wanted()) {
            return sessions;
        }
        let is_walking = self.peers.iter().any(|(_, stream)| stream.backlog.walk().is_some());
        let named = self.peers.iter().map(|(_, stream)| stream.backlog.len() as u64).max().unwrap_or(0);
        if is_walking { sessions } else { named.min(sessions) }
    }

    /// The backlog of a member, and the frames on the way to it. During a walk over everything all sessions
    /// count.
    pub(crate) fn backlog(&self, to: Incarnation, now: Instant) -> Backlog {
        let Some(stream) = self.peers.get(to) else { return Backlog::none(to) };
        let is_walking = stream.backlog.walk().is_some();
        Backlog {
            to,
            sessions: if is_walking { self.held() } else { stream.backlog.len() } as u64,
            unacknowledged: stream.in_flight.keys().count() as u64,
            bytes: stream.unconfirmed_bytes() as u64,
            age: stream.in_flight.unconfirmed_for(now),
        }
    }

    /// How long each member has acknowledged nothing although something is on the way to it.
    pub(crate) fn stalls(&self, now: Instant) -> impl Iterator<Item = (Incarnation, Duration)> {
        self.peers.iter().map(move |(member, stream)| (member, stream.stalled_for(now)))
    }
}
