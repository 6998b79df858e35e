//! Views of a node from outside. They change nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::node::Node;
use crate::roster::{MemberRow, NodeState};
use crate::shard::{Backlog, NegativeAcks};
use crate::{AppId, Bounds, Fields, Histogram, Incarnation, Instant, Secret, SessionKey};

/// Everything that is counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sessions asked of all members.
    pub asks: u64,
    /// Frames that a member did not take.
    pub negative_acks: NegativeAcks,
    /// Fields that two nodes wrote without knowing of each other.
    pub conflicts: u64,
    /// Writes that met an ended session.
    pub late_writes: u64,
    /// Times that frames in flight were given up and sent again as copies.
    pub restarts: u64,
    /// Frames that came before one that was sent earlier, and waited for it.
    pub frames_early: u64,
    /// Times that a frame was missing for too long: its sender was told, and sends copies instead.
    pub gaps: u64,
    /// Copies that a member had no room for.
    pub copies_refused: u64,
    /// Sessions created here.
    pub created: u64,
    /// Sessions invalidated here.
    pub invalidated: u64,
    /// Sessions that a comparison which this node began found different or lacking on one side.
    pub repaired: u64,
    /// Sessions expired by this node.
    pub expired: u64,
    /// Leases that ran out while serving.
    pub leases_lost: u64,
    /// Transfers that brought the state of a cluster that was there.
    pub transfers_received: u64,
    /// Transfers whose donor failed or refused.
    pub transfers_interrupted: u64,
    /// Frames of a kind that this version does not know.
    pub frames_skipped: u64,
}

impl Node {
    /// The process that this node is.
    pub fn incarnation(&self) -> Incarnation {
        self.roster.lock().incarnation()
    }

    /// What this node may take.
    pub fn bounds(&self) -> &Bounds {
        &self.settings.bounds
    }

    /// How far this node is.
    pub fn state(&self) -> NodeState {
        self.roster.lock().state
    }

    /// The process because of which this one may not join: that has its name, or that succeeded it.
    pub fn refused_by(&self) -> Option<Incarnation> {
        self.roster.lock().refused_by
    }

    /// Every member of the view, this node first.
    pub fn members(&self, now: Instant) -> Vec<MemberRow> {
        self.roster.lock().rows(now)
    }

    /// Members with whom a comparison that this node began is not over.
    pub fn comparing(&self) -> Vec<Incarnation> {
        self.roster.lock().comparing()
    }

    /// Sessions of these applications whose newest write is this process's own.
    pub fn last_written_here(&self, apps: &[AppId]) -> Vec<SessionKey> {
        let me = self.settings.incarnation;
        let mut keys = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let own = shard.table().iter().filter(|session| {
                apps.contains(&session.app)
                    && session
                        .fields
                        .all()
                        .map(|field| field.timestamp)
                        .max()
                        .is_some_and(|last| last.incarnation == me)
            });
            keys.extend(own.map(|session| session.key));
        }
        keys
    }

    /// This node's own copy of a session, without touching, asking or sending.
    pub fn peek(&self, key: SessionKey) -> Option<(AppId, Fields)> {
        let shard = self.shard(key).lock();
        shard.table().get(key).map(|session| (session.app, session.fields.clone()))
    }

    /// What a secret that was superseded less than `grace` ago still shows of a session that is here, and its
    /// application: the attributes from strictly before the change. Looking is no use.
    pub fn before_change(
        &self,
        key: SessionKey,
        secret: Secret,
        grace: Duration,
        now: Instant,
    ) -> Option<(AppId, Fields)> {
        self.shard(key).lock().before_change(key, secret, grace, now)
    }

    /// Whether a secret opens a session that is here, no secret of it was changed for `quiet`, and no more
    /// than one request has it open on this node: whoever holds the secret has no newer one, and is about to
    /// get none.
    pub fn is_settled_secret(&self, key: SessionKey, secret: Secret, quiet: Duration, now: Instant) -> bool {
        self.shard(key).lock().table().get(key).is_some_and(|session| {
            let changed = session.fields.changed_for(session.age(now));
            session.open <= 1 && session.fields.admits(secret) && changed.is_none_or(|since| since >= quiet)
        })
    }

    /// How long this node has known that a session ended; `None` while it lives, or when nobody remembers.
    pub fn ended_for(&self, key: SessionKey, now: Instant) -> Option<Duration> {
        self.shard(key).lock().end_of(key).map(|end| now.since(end.since))
    }

    /// Whether this node has a copy of a session, without touching, asking or sending.
    pub fn holds(&self, key: SessionKey) -> bool {
        self.shard(key).lock().table().contains(key)
    }

    /// Live sessions, of one application or of all.
    pub fn session_count(&self, app: Option<AppId>) -> u64 {
        let Some(app) = app else { return self.population.count() };
        let count = |shard: &parking_lot::Mutex<crate::shard::Shard>| {
            shard.lock().table().iter().filter(|session| session.app == app).count() as u64
        };
        self.shards.iter().map(count).sum()
    }

    /// Bytes of all copies, roughly.
    pub fn table_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lock().bytes() as u64).sum()
    }

    /// Sessions with fewer copies than wanted.
    pub fn at_risk(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lock().at_risk()).sum()
    }

    /// The backlog of each member; empty when the node may leave.
    pub fn backlogs(&self, now: Instant) -> Vec<Backlog> {
        let members = self.members(now).into_iter().filter(|row| !row.is_self);
        let backlogs = members.map(|row| {
            let parts = self.shards.iter().map(|shard| shard.lock().backlog(row.incarnation, now));
            parts.fold(Backlog::none(row.incarnation), Backlog::and)
        });
        backlogs.filter(|backlog| backlog.sessions + backlog.unacknowledged > 0).collect()
    }

    /// How long members took to confirm what this node sent them, changes and whole copies alike: from the
    /// moment in which it was sent, for a change that of its commit, to the arrival of the acknowledgement.
    /// In every mode; the member has applied it before, so this is an upper bound of the time of replication.
    pub fn confirmation_times(&self) -> Histogram {
        let mut times = Histogram::default();
        self.shards.iter().for_each(|shard| times.add(&shard.lock().counters().confirmed_after));
        times
    }

    /// Everything that is counted since the start.
    pub fn counters(&self) -> Counters {
        let mut sum =
            Counters { frames_skipped: self.frames_skipped.load(Ordering::Relaxed), ..Counters::default() };
        for shard in &self.shards {
            let shard = shard.lock();
            let counters = shard.counters();
            sum.asks += counters.asks;
            sum.negative_acks.add(&counters.negative_acks);
            sum.conflicts += counters.conflicts;
            sum.late_writes += counters.late_writes;
            sum.restarts += counters.restarts;
            sum.frames_early += counters.frames_early;
            sum.gaps += counters.gaps;
            sum.copies_refused += counters.copies_refused;
            sum.created += counters.created;
            sum.repaired += counters.repaired;
            sum.invalidated += counters.invalidated;
            sum.expired += counters.expired;
        }
        let roster = self.roster.lock();
        sum.leases_lost = roster.leases_lost;
        sum.transfers_received = roster.transfers_received;
        sum.transfers_interrupted = roster.transfers_interrupted;
        sum
    }
}
