//! Committing the changes of a request: checked, timestamped and applied in one section, and staged for every
//! member.

use crate::changes::Changes;
use crate::key::SHARDS;
use crate::marks::Birth;
use crate::session::Session;
use crate::shard::Shard;
use crate::shard::in_flight::Carried;
use crate::shard::settling::{Awaited, notify_settled};
use crate::wire::{Delta, Draft, FieldChange};
use crate::{
    Ack, AckMembers, CommittedSession, Effects, Event, FieldRef, Incarnation, Instant, Receipt, Refusal,
    SessionKey, Ticket, Timestamp, ValueRef,
};

/// This part of a shard's bytes is left free by this node's own requests, for what other members accepted
/// before they knew that there is no room.
const RESERVED_SHARE: usize = 16;

/// The members that a commit waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    Nobody,
    /// Those that the ack set names.
    AckSet,
    AllMembers,
}

impl Shard {
    /// Timestamps and applies the changes in one section, and stages them for every member.
    ///
    /// # Errors
    /// A [`Refusal`]; then nothing was applied.
    pub(crate) fn commit(
        &mut self,
        key: SessionKey,
        changes: &Changes,
        ticket: Option<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let session = || self.table.get(key).map(|session| (&session.fields, session.age(now)));
        let changes = &*changes.with_secrets(session);
        self.check(key, changes)?;
        if changes.create.is_some() {
            self.create(key, changes, now, effects);
        }
        let timestamp = self.timestamp(key).ok_or(Refusal::Ended)?;
        self.apply_own(key, changes, timestamp, now, effects);
        self.note_change(key, true, effects);
        let waits = match self.settings.ack {
            _ if changes.synchronous => Waits::AllMembers,
            Ack::Synchronous => Waits::AckSet,
            Ack::Asynchronous => Waits::Nobody,
        };
        let sends_copies = changes.creates() || changes.whole;
        let draft = if sends_copies { None } else { self.delta(key, changes, timestamp) };
        self.stage(key, draft, waits, ticket, now, effects);
        Ok(())
    }

    fn check(&self, key: SessionKey, changes: &Changes) -> Result<(), Refusal> {
        let bounds = &self.settings.bounds;
        let exists = self.known(key).is_some();
        if changes.creates() == exists || self.tombstones.contains(key) {
            return Err(Refusal::Ended);
        }
        if changes.creates() && self.is_full(self.growth_max(), changes.weight() + size_of::<Session>()) {
            return Err(Refusal::TableFull);
        }
        for (name, value) in changes.writes() {
            let bytes = value.map_or(0, |value| value.bytes.len());
            if bytes > bounds.max_attribute_bytes {
                let name = name.as_str().to_owned();
                return Err(Refusal::AttributeTooLarge { name, bytes, max: bounds.max_attribute_bytes });
            }
        }
        let bytes = self.weight_with(key, changes);
        if bytes > bounds.max_session_bytes {
            return Err(Refusal::SessionTooLarge { bytes, max: bounds.max_session_bytes });
        }
        if !changes.creates() && self.is_full(self.growth_max(), changes.weight()) {
            return self.check_growth(key, changes);
        }
        Ok(())
    }

    /// A session that is held may become smaller, but not larger, where there is no room (rule 2.20).
    fn check_growth(&self, key: SessionKey, changes: &Changes) -> Result<(), Refusal> {
        let Some(session) = self.table.get(key) else { return Ok(()) };
        let names = changes.writes().map(|(name, _)| name.as_str());
        let replaced: usize =
            names.filter_map(|name| session.fields.field(name)).map(|field| field.weight()).sum();
        let grown = changes.weight().saturating_sub(replaced);
        if grown > 0 && self.is_full(self.growth_max(), grown) { Err(Refusal::NoRoomToGrow) } else { Ok(()) }
    }

    /// What the session would weigh; more than that where it does not matter: only near the bound is it
    /// looked up what the changes replace.
    fn weight_with(&self, key: SessionKey, changes: &Changes) -> usize {
        let Some(session) = self.table.get(key) else { return changes.weight() };
        let most = session.fields.weight() + changes.weight();
        if most <= self.settings.bounds.max_session_bytes {
            return most;
        }
        let replaced: usize = changes
            .writes()
            .filter_map(|(name, _)| session.fields.field(name.as_str()))
            .map(|field| field.weight())
            .sum();
        most - replaced
    }

    /// Whether so many bytes more would be above `max`.
    fn is_full(&self, max: usize, bytes: usize) -> bool {
        self.bytes() + bytes > max && !planted!(self.settings, GROWTH_UNBOUNDED)
    }

    /// This shard's share of the table's bytes: no copy is taken above it (rule 2.20).
    fn bytes_max(&self) -> usize {
        self.settings.bounds.max_table_bytes / SHARDS
    }

    /// What this node's own requests may fill. The rest is for what other members accept at the same time.
    fn growth_max(&self) -> usize {
        self.bytes_max() - self.bytes_max() / RESERVED_SHARE
    }

    /// Whether a copy that takes so much on the heap has no room here.
    pub(super) fn lacks_room(&self, footprint: usize) -> bool {
        self.is_full(self.bytes_max(), footprint + size_of::<Session>())
    }

    /// Whether a session that is here has no room to grow by so much, at most.
    pub(super) fn lacks_room_to_grow(&self, most: usize, exactly: impl FnOnce() -> usize) -> bool {
        self.is_full(self.bytes_max(), most) && self.is_full(self.bytes_max(), exactly())
    }

    fn create(&mut self, key: SessionKey, changes: &Changes, now: Instant, effects: &mut Effects) {
        self.births += 1;
        let birth = Birth { incarnation: self.settings.incarnation, number: self.births };
        let app = changes.create.unwrap_or_default();
        let mut session = Session::new(key, app, birth, now);
        session.touch = 1;
        self.table.insert_counted(session);
        self.marks.came(birth);
        self.counters.created += 1;
        effects.event(Event::Created { key, app, remote: false });
    }

    /// The timestamp of a commit that happens now (rules 3.3 and 3.4).
    fn timestamp(&self, key: SessionKey) -> Option<Timestamp> {
        let session = self.table.get(key)?;
        let clock = planted!(session.clock => commit_clock(&self.settings, session));
        Some(Timestamp::new(clock + 1, self.writer))
    }

    fn apply_own(
        &mut self,
        key: SessionKey,
        changes: &Changes,
        timestamp: Timestamp,
        now: Instant,
        effects: &mut Effects,
    ) {
        let mut applied = if changes.creates() { Default::default() } else { self.notices.begin() };
        let app = self.table.update(key, |session| {
            let writes = changes.writes().map(|(name, value)| FieldRef {
                name: name.as_str().into(),
                timestamp,
                value: value.map(ValueRef::from),
            });
            let mut fingerprint = 0;
            if changes.creates() {
                session.fields = writes.collect();
                fingerprint = session.fields.fingerprint();
            } else {
                for write in writes {
                    applied.merge(&mut session.fields, write);
                }
            }
            // Without a write the timestamp was not used: a copy that is only sent again stays the same copy.
            if !changes.writes.is_empty() {
                session.clock = session.clock.max(timestamp.counter);
            }
            session.use_now(session.touch, now);
            session.announce_use(now);
            if changes.says_when() {
                session.set_alarm();
            }
            (session.app, fingerprint.wrapping_add(applied.fingerprint()))
        });
        if changes.creates() {
            self.notify_created(key, false, effects);
        } else if let Some(app) = app {
            self.notices.changed(key, app, applied, false, effects);
        }
    }

    /// Notifies listeners of a session that is new here.
    pub(super) fn notify_created(&mut self, key: SessionKey, remote: bool, effects: &mut Effects) {
        if let Some(session) = self.table.get(key) {
            self.notices.created(session, remote, effects);
        }
    }

    fn delta(&self, key: SessionKey, changes: &Changes, timestamp: Timestamp) -> Option<Draft> {
        let touch = self.table.get(key)?.touch;
        let fields = changes.writes().map(|(name, value)| FieldChange {
            name: name.as_str(),
            codec: value.map_or(0, |value| value.codec.0),
            value: value.map(|value| value.bytes.as_ref()),
        });
        let fields = fields.collect();
        let fields = planted!(fields => announced(&self.settings, fields));
        let delta =
            Delta { key: key.0, counter: timestamp.counter, writer: timestamp.incarnation.0, touch, fields };
        Some(Draft::delta(&delta, changes.weight()))
    }
}

/// Sending a commit or an end to every member.
impl Shard {
    /// Some member that can be reached has not confirmed as many bytes as may be on the way to it. Further
    /// changes of its sessions are given up for copies, which are sent later (rule 2.11).
    pub(crate) fn is_congested(&self) -> bool {
        let bytes_max = self.in_flight_bytes_max();
        self.peers.iter().any(|(_, stream)| stream.linked && stream.unconfirmed_bytes() >= bytes_max)
    }

    /// This shard's share of the bytes that may be on the way to one member.
    fn in_flight_bytes_max(&self) -> usize {
        self.settings.bounds.max_unconfirmed_bytes / SHARDS
    }

    /// Sends a change to every member, or puts the session into the member's backlog. Without a draft every
    /// member gets a copy.
    pub(super) fn stage(
        &mut self,
        key: SessionKey,
        mut draft: Option<Draft>,
        waits: Waits,
        ticket: Option<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let ticket = ticket.unwrap_or_else(|| Ticket::unattended(self.next_number()));
        let exempt = if waits == Waits::AckSet { self.exempt(key) } else { Vec::new() };
        let members = self.peers.members().map(|member| {
            let is_awaited = waits != Waits::Nobody && !exempt.contains(&member);
            let is_awaited = planted!(is_awaited => is_awaited(&self.settings, is_awaited, member, self.peers.get(member)));
            (member, is_awaited)
        });
        let members: Vec<(Incarnation, bool)> = members.collect();
        let exempt = u32::try_from(exempt.len()).unwrap_or(u32::MAX);
        let awaited: Vec<_> = members.iter().filter(|(_, awaited)| *awaited).map(|(of, _)| *of).collect();
        let settles_at_once = awaited.is_empty();
        // Before anything is sent: a frame that no link can carry is waited for no longer.
        if !settles_at_once {
            let is_end = self.tombstones.contains(key);
            self.settling.begin(ticket, Awaited { key, is_end, members: awaited, exempt });
        }
        for (more, (member, is_awaited)) in (0..members.len()).rev().zip(members) {
            let draft = if more > 0 { draft.clone() } else { draft.take() };
            self.stage_for(member, key, draft, is_awaited.then_some(ticket), now, effects);
        }
        if settles_at_once {
            let is_async = waits == Waits::Nobody && !self.peers.is_empty();
            let unconfirmed_for = is_async.then(|| self.peers.unconfirmed_for(now));
            let receipt = Receipt { unconfirmed_for, ..self.settling.first_receipt(exempt) };
            notify_settled(ticket, receipt, effects);
        }
    }

    /// Members that a commit on this session need not wait for (rule 2.17). A member that an earlier commit
    /// on the session still waits for is awaited: a response that read both commits waits only for the later
    /// one.
    fn exempt(&self, key: SessionKey) -> Vec<Incarnation> {
        let Some(session) = self.table.get(key) else { return Vec::new() };
        let session = CommittedSession { key, app: session.app };
        let AckMembers::Only(chosen) = self.settings.ack_set.awaited(session, &self.own, &self.others) else {
            return Vec::new();
        };
        let is_exempt = |member: &Incarnation| {
            self.peers.contains(*member) && !chosen.contains(member) && !self.settling.awaits(key, *member)
        };
        self.others.iter().map(|other| other.incarnation).filter(is_exempt).collect()
    }

    fn stage_for(
        &mut self,
        member: Incarnation,
        key: SessionKey,
        draft: Option<Draft>,
        ticket: Option<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let bytes_max = self.in_flight_bytes_max();
        let Some(stream) = self.peers.get_mut(member) else { return };
        if !stream.has_room(bytes_max) {
            stream.backlog.give_up_change(draft.as_ref().map_or(0, Draft::len));
            stream.backlog.add(key, ticket);
            return;
        }
        let is_end = self.tombstones.contains(key);
        let draft =
            draft.filter(|_| is_end || !stream.backlog.needs_copy_at(key, || self.table.slot_of(key)));
        let mut waiters = stream.backlog.take(key);
        waiters.extend(ticket);
        let Some(draft) = draft else { return self.send_copy(member, key, waiters, now, effects) };
        self.transmit(member, Carried::One(key), draft, waiters, now, effects);
    }
}
