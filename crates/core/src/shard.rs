//! One slice of the sessions: the unit of locking. All replication of these sessions happens here.
//!
//! A shard knows which members must have its sessions and nothing of how they became members: leases,
//! joins and removals are the roster's. Follow a change from `commit.rs` (staged for every lane) through
//! `flow.rs` (sent, acknowledged, sent again) to `receive.rs` (applied on the other side). `compare.rs`
//! finds what two members hold differently, `ask.rs` finds a session that is not here, `expire.rs` ends
//! those that nobody uses. `together.rs` has copies travel several to a frame.

mod ask;
mod commit;
mod compare;
mod expire;
mod flow;
mod lane;
mod receive;
mod request;
mod settle;
mod stored;
mod tell;
mod together;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::marks::BirthMarks;
use crate::node::{Debt, NegativeAcks};
use crate::session::Session;
use crate::table::Table;
use crate::tombstone::{Tombstone, event_id};
use crate::{Boot, Candidate, Effect, Event, Histogram, Instant, Plant, SessionKey, Settings, Stamp, Ticket};

use ask::{Answered, Asking};
pub(crate) use compare::News;
use compare::Round;
use expire::TIDY_PERIOD;
pub(crate) use expire::UNTOLD_SHARE;
use lane::Lane;
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
pub(crate) struct Tally {
    pub(crate) asks: u64,
    pub(crate) negative_acks: NegativeAcks,
    pub(crate) conflicts: u64,
    pub(crate) late_writes: u64,
    pub(crate) restarts: u64,
    pub(crate) copies_refused: u64,
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
    /// The writer in this node's stamps: its boot, unless a planted bug says otherwise.
    writer: Boot,
    table: Table,
    /// Sessions whose content is in the store.
    stubs: BTreeMap<SessionKey, Stub>,
    /// Bytes of the copies that wait in them.
    arrived_bytes: usize,
    tombstones: BTreeMap<SessionKey, Tombstone>,
    marks: BirthMarks,
    births: u64,
    lanes: BTreeMap<Boot, Lane>,
    last_epoch: u32,
    pending: BTreeMap<Ticket, Pending>,
    /// The newest unsettled commit of a session.
    unsettled: BTreeMap<SessionKey, Ticket>,
    tickets: u64,
    asks: BTreeMap<SessionKey, Asking>,
    rounds: BTreeMap<Boot, Round>,
    round_number: u32,
    /// Members that may end idle sessions, this node included if it may.
    expirers: Vec<Boot>,
    /// Uses that a member told nobody died with it: until this passed, idle sessions get more time.
    lost_member_at: Option<Instant>,
    scan: u32,
    stub_scan: Option<SessionKey>,
    tidied_at: Instant,
    /// Copies that a commit wants which waits for everybody, the writer's own included.
    wanted: u32,
    /// This node and the other members, as the placement sees them.
    own: Candidate,
    others: Vec<Candidate>,
    /// Tops as sessions were opened, for [`Plant::StampAtSet`] only.
    opened_tops: BTreeMap<SessionKey, u64>,
    /// What members said of sessions, until the request that asked looks.
    answered: BTreeMap<SessionKey, Answered>,
    /// Comparisons that ended since the node looked.
    pub(crate) news: Vec<News>,
    /// Others may join from this node.
    pub(crate) donates: bool,
    /// Somebody listens to what happens here.
    told: bool,
    /// Notices made so far.
    notices: u64,
    pub(crate) tally: Tally,
}

impl Shard {
    pub(crate) fn new(number: u8, settings: Arc<Settings>, now: Instant) -> Self {
        let writer = match settings.plant {
            Plant::WriterIsName => {
                let hash = blake3::hash(settings.name.as_bytes());
                Boot(u32::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1], hash.as_bytes()[2], 0]))
            }
            _ => settings.boot,
        };
        Self {
            number,
            writer,
            table: Table::default(),
            stubs: BTreeMap::new(),
            arrived_bytes: 0,
            tombstones: BTreeMap::new(),
            marks: BirthMarks::default(),
            births: 0,
            lanes: BTreeMap::new(),
            last_epoch: 0,
            pending: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            tickets: 0,
            asks: BTreeMap::new(),
            rounds: BTreeMap::new(),
            round_number: 0,
            expirers: Vec::new(),
            lost_member_at: None,
            scan: 0,
            stub_scan: None,
            // Shards take turns.
            tidied_at: now.plus(TIDY_PERIOD * u32::from(number) / SHARDS as u32),
            wanted: settings.copies.unwrap_or(1),
            own: Candidate { boot: settings.boot, name: settings.name.clone() },
            others: Vec::new(),
            opened_tops: BTreeMap::new(),
            answered: BTreeMap::new(),
            news: Vec::new(),
            donates: false,
            told: false,
            notices: 0,
            tally: Tally::default(),
            settings,
        }
    }

    // ---- members ----

    /// From now on this member must have every session. What is staged is owed to it.
    pub(crate) fn add_member(&mut self, boot: Boot, now: Instant, fx: &mut Vec<Effect>) {
        if self.lanes.contains_key(&boot) {
            return;
        }
        self.last_epoch += 1;
        let mut lane = Lane::new(self.last_epoch, now);
        lane.awaited = self.settings.plant != Plant::JoinerNotAwaited;
        if lane.awaited {
            for key in self.lanes.values().flat_map(Lane::unconfirmed) {
                lane.owe(key, []);
            }
        }
        self.lanes.insert(boot, lane);
        for asking in self.asks.values_mut() {
            asking.also(boot);
        }
        self.pump(boot, now, fx);
    }

    /// This member is ready: a planted bug may have left it out until now.
    pub(crate) fn member_ready(&mut self, boot: Boot) {
        if let Some(lane) = self.lanes.get_mut(&boot) {
            lane.awaited = true;
        }
    }

    /// This member is out: nobody waits for it any more.
    pub(crate) fn remove_member(&mut self, boot: Boot, clean: bool, now: Instant, fx: &mut Vec<Effect>) {
        let Some(lane) = self.lanes.remove(&boot) else { return };
        self.last_epoch = self.last_epoch.max(lane.epoch());
        self.rounds.remove(&boot);
        if !clean {
            self.lost_member_at = Some(now);
        }
        let tickets: Vec<Ticket> = self.pending.keys().copied().collect();
        for ticket in tickets {
            self.no_longer_awaits(ticket, boot, fx);
        }
        self.asks_without(boot, now, fx);
    }

    /// Every member is out of this node's view, because it is out of theirs.
    pub(crate) fn remove_all(&mut self, now: Instant, fx: &mut Vec<Effect>) {
        self.give_up_asks(fx);
        let boots: Vec<Boot> = self.lanes.keys().copied().collect();
        for boot in boots {
            self.remove_member(boot, false, now, fx);
        }
    }

    pub(crate) fn set_linked(&mut self, boot: Boot, linked: bool, now: Instant, fx: &mut Vec<Effect>) {
        if let Some(lane) = self.lanes.get_mut(&boot) {
            lane.linked = linked;
        }
        self.resend(boot, now, fx);
    }

    /// What is on the way to this member may be lost.
    pub(crate) fn resend(&mut self, boot: Boot, now: Instant, fx: &mut Vec<Effect>) {
        if let Some(lane) = self.lanes.get_mut(&boot) {
            lane.restart();
            self.pump(boot, now, fx);
        }
    }

    /// This node begins the cluster from what it remembers, while a member that knows more may only be stopped. What is
    /// written from now on is later than anything that member holds, so it has to win over it.
    pub(crate) fn take_lead(&mut self, now: Instant, fx: &mut Vec<Effect>) {
        if self.held() == 0 {
            return;
        }
        self.table.touch_all(Session::take_lead);
        self.stubs.values_mut().for_each(|stub| stub.hollow.take_lead());
        self.lanes.values_mut().for_each(Lane::owe_everything);
        self.pump_all(now, fx);
    }

    pub(crate) fn set_expirers(&mut self, expirers: &[Boot]) {
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
        let held = self.lanes.values().filter(|lane| !lane.owes(key)).count();
        1 + u32::try_from(held).unwrap_or(u32::MAX)
    }

    /// Sessions with fewer copies than wanted.
    pub(crate) fn at_risk(&self) -> u64 {
        let sessions = self.held() as u64;
        if (self.lanes.len() as u64) + 1 < u64::from(self.wanted) {
            return sessions;
        }
        let walking = self.lanes.values().any(|lane| lane.walk.is_some());
        let owed = self.lanes.values().map(|lane| lane.owed_count() as u64).max().unwrap_or(0);
        if walking { sessions } else { owed.min(sessions) }
    }

    /// What is owed to a member or on the way to it; where everything is owed, all sessions count.
    pub(crate) fn debt(&self, to: Boot, now: Instant) -> Debt {
        let Some(lane) = self.lanes.get(&to) else { return Debt::none(to) };
        let owed = if lane.walk.is_some() { self.held() } else { lane.owed_count() };
        Debt {
            to,
            owed: owed as u64,
            unacknowledged: lane.unacknowledged() as u64,
            bytes: lane.unconfirmed_bytes() as u64,
            age: lane.unconfirmed_for(now),
        }
    }

    /// How long each member has acknowledged nothing although something is on the way to it.
    pub(crate) fn stalls(&self, now: Instant) -> impl Iterator<Item = (Boot, Duration)> {
        self.lanes.iter().map(move |(boot, lane)| (*boot, lane.stalled_for(now)))
    }

    /// The age of the oldest change that some member has not confirmed.
    fn unconfirmed_for(&self, now: Instant) -> Duration {
        let oldest = self.lanes.values().filter_map(Lane::oldest).min();
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

    /// The stamp of a commit that happens now.
    fn stamp(&self, key: SessionKey) -> Option<Stamp> {
        let session = self.table.get(key)?;
        let top = match self.settings.plant {
            Plant::StampAtSet => *self.opened_tops.get(&key).unwrap_or(&session.top),
            Plant::CounterFromLiveFields => {
                let live = session.fields.all().filter(|field| field.value.is_some());
                live.map(|field| field.stamp.counter).max().unwrap_or(0)
            }
            _ => session.top,
        };
        Some(Stamp::new(top + 1, self.writer))
    }

    /// Remembers an end, which another member told or this node made, and drops the copy; returns false if nothing
    /// changed.
    fn bury(&mut self, key: SessionKey, end: Tombstone, told_by: Option<Boot>, fx: &mut Vec<Effect>) -> bool {
        let known = self.tombstones.get(&key).copied();
        let stub = self.take_stub(key);
        let in_memory = self.table.remove(key);
        self.marks.saw(end.birth);
        let held = in_memory.or(stub.map(|stub| self.give_up(stub, fx)));
        let mut end = known.map_or(end, |known| known.merge(end));
        if let (Some(session), Some(by)) = (&held, told_by) {
            (end.app, end.told_by) = (session.app, Some(by));
        }
        self.tombstones.insert(key, end);
        self.forget_oldest_ends();
        if let Some(session) = &held {
            let remote = told_by.is_some();
            self.marks.saw(session.birth());
            self.tell_ended(session, end.reason, remote, fx);
            fx.push(Effect::Event(Event::Ended {
                key,
                app: session.app,
                reason: end.reason,
                event_id: event_id(key),
                remote,
            }));
        }
        self.note_change(key, told_by.is_none(), fx);
        held.is_some() || known.is_none()
    }

    /// A store lacks this from now on.
    fn note_change(&self, key: SessionKey, here: bool, fx: &mut Vec<Effect>) {
        if self.settings.stores {
            fx.push(Effect::Changed { key, here });
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

/// A frame for one member.
fn send(fx: &mut Vec<Effect>, to: Boot, frame: Bytes) {
    fx.push(Effect::Send { to, frame });
}
