//! Committing changes and ending sessions on the node that does it.

use crate::changes::Changes;
use crate::marks::Birth;
use crate::session::Session;
use crate::shard::Shard;
use crate::shard::notify::Applied;
use crate::shard::peer_stream::Carried;
use crate::shard::settle::{Pending, notify_settled};
use crate::tombstone::Tombstone;
use crate::wire::{Delta, Draft, FieldChange};
use crate::{
    AckMembers, AppId, CommittedSession, Effects, EndReason, Event, FieldRef, Incarnation, Instant, Mode,
    Receipt, Refusal, SessionKey, Ticket, Timestamp, ValueRef,
};
use std::time::Duration;

/// Whom a commit waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Nobody,
    /// Those that the ack_set names.
    AckSet,
    AllMembers,
}

impl Shard {
    /// Stamps and applies the changes in one section, and stages them for every member.
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
        self.check(key, changes)?;
        if changes.create.is_some() {
            self.create(key, changes, now, effects);
        }
        let timestamp = self.timestamp(key).ok_or(Refusal::Ended)?;
        self.apply_own(key, changes, timestamp, now, effects);
        self.note_change(key, true, effects);
        let waits = match self.settings.mode {
            _ if changes.synchronous => Waits::AllMembers,
            Mode::Synchronous => Waits::AckSet,
            Mode::Asynchronous => Waits::Nobody,
        };
        let whole = changes.creates() || changes.whole;
        let draft = if whole { None } else { self.delta(key, changes, timestamp) };
        self.stage(key, draft, waits, ticket, now, effects);
        Ok(())
    }

    /// Ends a session, known or not. Always synchronous, in every mode.
    pub(crate) fn end(
        &mut self,
        key: SessionKey,
        reason: EndReason,
        ticket: Option<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let end = match self.known(key) {
            Some(session) => Tombstone::of(session, reason, now),
            None => Tombstone { reason, ..Tombstone::unknown(Birth::default(), now) },
        };
        self.end_as(key, end, ticket, now, effects);
    }

    /// The same for a session of which no member has a copy.
    pub(crate) fn end_carried(
        &mut self,
        key: SessionKey,
        app: AppId,
        keep: Duration,
        ticket: Option<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) {
        self.end_as(key, Tombstone::carried(app, keep, now), ticket, now, effects);
    }

    fn end_as(
        &mut self,
        key: SessionKey,
        end: Tombstone,
        ticket: Option<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) {
        self.record_end(key, end, None, effects);
        match end.reason {
            EndReason::Invalidated => self.counters.invalidated += 1,
            EndReason::Expired => self.counters.expired += 1,
        }
        self.settle_as_ended(key, effects);
        let draft = self.tombstones.get(&key).map(|end| Draft::end(&end.to_wire(key)));
        let waits = if planted!(self.settings, END_ASYNCHRONOUS) { Waits::Nobody } else { Waits::AllMembers };
        self.stage(key, draft, waits, ticket, now, effects);
    }

    fn check(&self, key: SessionKey, changes: &Changes) -> Result<(), Refusal> {
        let bounds = &self.settings.bounds;
        let exists = self.known(key).is_some();
        if changes.creates() == exists || self.tombstones.contains_key(&key) {
            return Err(Refusal::Ended);
        }
        if changes.creates() && self.is_full(changes.weight()) {
            return Err(Refusal::Full);
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
        Ok(())
    }

    /// What the session would weigh, or more where that is allowed, too: what is replaced is looked for only when it
    /// matters.
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

    /// Whether one more session of this weight would exceed this shard's share of the table's bytes.
    pub(super) fn is_full(&self, weight: usize) -> bool {
        let share = self.settings.bounds.max_table_bytes / super::SHARDS;
        self.bytes() + weight + size_of::<Session>() > share
    }

    fn create(&mut self, key: SessionKey, changes: &Changes, now: Instant, effects: &mut Effects) {
        self.births += 1;
        let birth = Birth { incarnation: self.settings.incarnation, number: self.births };
        let app = changes.create.unwrap_or_default();
        let mut session = Session::new(key, app, birth, now);
        session.touch = 1;
        self.table.insert_counted(session);
        self.marks.saw(birth);
        self.counters.created += 1;
        effects.event(Event::Created { key, app, remote: false });
    }

    fn apply_own(
        &mut self,
        key: SessionKey,
        changes: &Changes,
        timestamp: Timestamp,
        now: Instant,
        effects: &mut Effects,
    ) {
        let mut applied = if changes.creates() { Applied::default() } else { self.applied() };
        self.table.update(key, |session| {
            let writes = changes.writes().map(|(name, value)| FieldRef {
                name: name.as_str().into(),
                timestamp,
                value: value.map(ValueRef::from),
            });
            if changes.creates() {
                session.fields = writes.collect();
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
        });
        if changes.creates() {
            self.notify_created(key, false, effects);
        }
        self.notify_applied(key, applied, false, effects);
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

    /// Some member that can be reached has not confirmed as many bytes as may be on the way to it: further changes
    /// will be backlog to it.
    pub(crate) fn is_congested(&self) -> bool {
        let staged_max = self.staged_max();
        self.streams.values().any(|stream| stream.linked && stream.unconfirmed_bytes() >= staged_max)
    }

    /// This shard's share of the bytes that may be on the way to one member.
    fn staged_max(&self) -> usize {
        self.settings.bounds.max_unconfirmed_bytes / super::SHARDS
    }

    /// Sends a change to every member, or notes that the member is backlog the session. Without a draft every
    /// member gets a copy.
    fn stage(
        &mut self,
        key: SessionKey,
        mut draft: Option<Draft>,
        waits: Waits,
        ticket: Option<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let ticket = ticket.unwrap_or_else(|| Ticket::unattended(self.next_number()));
        let not_awaited = if waits == Waits::AckSet { self.not_awaited(key) } else { Vec::new() };
        let members = self.streams.keys().map(|incarnation| {
            let awaited = waits != Waits::Nobody
                && !not_awaited.contains(incarnation)
                && planted!(true => is_awaited(&self.settings, *incarnation, self.streams.get(incarnation)));
            (*incarnation, awaited)
        });
        let members: Vec<(Incarnation, bool)> = members.collect();
        let waiting: Vec<_> = members.iter().filter(|(_, awaited)| *awaited).map(|(of, _)| *of).collect();
        let not_awaited = u32::try_from(not_awaited.len()).unwrap_or(u32::MAX);
        let receipt = Receipt { copies: 1, wanted: self.wanted_without(not_awaited), ..Receipt::default() };
        let settles_at_once = waiting.is_empty();
        // Before anything is sent: a frame that cannot be sent at all settles what waits for it.
        if !settles_at_once {
            let is_end = self.tombstones.contains_key(&key);
            self.await_members(ticket, Pending::new(key, is_end, waiting, not_awaited, receipt));
        }
        for (more, (incarnation, awaited)) in (0..members.len()).rev().zip(members) {
            let draft = if more > 0 { draft.clone() } else { draft.take() };
            self.stage_for(incarnation, key, draft, awaited.then_some(ticket), now, effects);
        }
        if settles_at_once {
            let is_async = waits == Waits::Nobody && !self.streams.is_empty();
            let unconfirmed = is_async.then(|| self.unconfirmed_for(now));
            notify_settled(ticket, Receipt { unconfirmed_for: unconfirmed, ..receipt }, effects);
        }
    }

    /// Members that a commit on this session need not wait for. Whoever an earlier commit on it still waits for
    /// is awaited: a response that saw both waits only for the later one.
    fn not_awaited(&self, key: SessionKey) -> Vec<Incarnation> {
        let Some(session) = self.table.get(key) else { return Vec::new() };
        let session = CommittedSession { key, app: session.app };
        let AckMembers::Only(chosen) = self.settings.ack_set.awaited(session, &self.own, &self.others) else {
            return Vec::new();
        };
        let earlier = self.unsettled.get(&key).and_then(|ticket| self.pending.get(ticket));
        let awaited = |incarnation: &Incarnation| {
            chosen.contains(incarnation)
                || earlier.is_some_and(|earlier| earlier.waiting.contains(incarnation))
        };
        let others = self.others.iter().map(|other| other.incarnation);
        others.filter(|incarnation| self.streams.contains_key(incarnation) && !awaited(incarnation)).collect()
    }

    fn stage_for(
        &mut self,
        incarnation: Incarnation,
        key: SessionKey,
        draft: Option<Draft>,
        ticket: Option<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let staged_max = self.staged_max();
        let Some(stream) = self.streams.get_mut(&incarnation) else { return };
        if !stream.has_room(staged_max) {
            stream.give_up(draft.as_ref().map_or(0, Draft::len));
            stream.add_to_backlog(key, ticket);
            return;
        }
        let is_end = self.tombstones.contains_key(&key);
        let Some(draft) = draft.filter(|_| is_end || !stream.needs_copy(key)) else {
            let mut waiters = stream.take_from_backlog(key);
            waiters.extend(ticket);
            self.send_copy(incarnation, key, waiters, now, effects);
            return;
        };
        let mut waiters = stream.take_from_backlog(key);
        waiters.extend(ticket);
        self.transmit(incarnation, Carried::One(key), draft, waiters, now, effects);
    }
}
