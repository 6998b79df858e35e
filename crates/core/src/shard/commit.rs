//! Committing changes and ending sessions on the node that does it.

use crate::changes::Changes;
use crate::marks::Birth;
use crate::session::Session;
use crate::shard::lane::Carried;
use crate::shard::settle::Pending;
use crate::shard::tell::Applied;
use crate::shard::{Shard, send};
use crate::tombstone::Tombstone;
use crate::wire::{Delta, Draft, FieldChange};
use crate::{
    AppId, Awaited, Boot, Effect, EndReason, Event, FieldName, FieldRef, Instant, Mode, PlacedSession, Plant,
    Receipt, Refusal, SessionKey, Stamp, Ticket, Value, ValueRef,
};
use std::time::Duration;

/// Whom a commit waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Nobody,
    /// Those that the placement names.
    Placed,
    Everybody,
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
        now: Instant,
        fx: &mut Vec<Effect>,
    ) -> Result<Ticket, Refusal> {
        self.check(key, changes)?;
        if changes.create.is_some() {
            self.create(key, changes, now, fx);
        }
        let stamp = self.stamp(key).ok_or(Refusal::Ended)?;
        self.apply_own(key, changes, stamp, now, fx);
        self.note_change(key, true, fx);
        let waits = match self.settings.mode {
            _ if changes.synchronous => Waits::Everybody,
            Mode::Synchronous => Waits::Placed,
            Mode::Asynchronous => Waits::Nobody,
        };
        let whole = changes.creates() || changes.whole;
        let draft = if whole { None } else { self.delta(key, changes, stamp) };
        Ok(self.stage(key, draft, waits, now, fx))
    }

    /// Ends a session, known or not. Always synchronous, in every mode.
    pub(crate) fn end(
        &mut self,
        key: SessionKey,
        reason: EndReason,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) -> Ticket {
        let end = match self.known(key) {
            Some(session) => Tombstone::of(session, reason, now),
            None => Tombstone { reason, ..Tombstone::unknown(Birth::default(), now) },
        };
        self.end_as(key, end, now, fx)
    }

    /// The same for a session of which no member has a copy.
    pub(crate) fn end_carried(
        &mut self,
        key: SessionKey,
        app: AppId,
        keep: Duration,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) -> Ticket {
        self.end_as(key, Tombstone::carried(app, keep, now), now, fx)
    }

    fn end_as(&mut self, key: SessionKey, end: Tombstone, now: Instant, fx: &mut Vec<Effect>) -> Ticket {
        self.bury(key, end, None, fx);
        match end.reason {
            EndReason::Invalidated => self.tally.invalidated += 1,
            EndReason::Expired => self.tally.expired += 1,
        }
        self.settle_as_ended(key, fx);
        let draft = self.tombstones.get(&key).map(|end| Draft::end(&end.to_wire(key)));
        let waits =
            if self.settings.plant == Plant::EndAsynchronous { Waits::Nobody } else { Waits::Everybody };
        self.stage(key, draft, waits, now, fx)
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

    fn create(&mut self, key: SessionKey, changes: &Changes, now: Instant, fx: &mut Vec<Effect>) {
        self.births += 1;
        let birth = Birth { boot: self.settings.boot, number: self.births };
        let app = changes.create.unwrap_or_default();
        let mut session = Session::new(key, app, birth, now);
        session.touch = 1;
        self.table.insert(session);
        self.marks.saw(birth);
        self.tally.created += 1;
        fx.push(Effect::Event(Event::Created { key, app, remote: false }));
    }

    fn apply_own(
        &mut self,
        key: SessionKey,
        changes: &Changes,
        stamp: Stamp,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) {
        let mut applied = if changes.creates() { Applied::default() } else { self.applied() };
        self.table.update(key, |session| {
            let writes = changes.writes().map(|(name, value)| FieldRef {
                name: name.as_str().into(),
                stamp,
                value: value.map(ValueRef::from),
            });
            if changes.creates() {
                session.fields = writes.collect();
            } else {
                for write in writes {
                    applied.merge(&mut session.fields, write);
                }
            }
            // Without a write the stamp was not used: a copy that is only sent again stays the same copy.
            if !changes.writes.is_empty() {
                session.top = session.top.max(stamp.counter);
            }
            session.use_now(session.touch, now);
            session.tell_at(now);
            if changes.says_when() {
                session.set_alarm();
            }
        });
        if changes.creates() {
            self.tell_created(key, false, fx);
        }
        self.tell_applied(key, applied, false, fx);
    }

    fn delta(&self, key: SessionKey, changes: &Changes, stamp: Stamp) -> Option<Draft> {
        let touch = self.table.get(key)?.touch;
        let untold = |name: &FieldName, value: Option<&Value>| {
            self.settings.plant == Plant::OldSecretKept && name.is_system() && value.is_none()
        };
        let writes = changes.writes().filter(|(name, value)| !untold(name, *value));
        let fields = writes.map(|(name, value)| FieldChange {
            name: name.as_str(),
            codec: value.map_or(0, |value| value.codec.0),
            value: value.map(|value| value.bytes.as_ref()),
        });
        let fields = fields.collect();
        let delta = Delta { key: key.0, counter: stamp.counter, writer: stamp.boot.0, touch, fields };
        Some(Draft::delta(&delta, changes.weight()))
    }

    /// Some member that can be reached has not confirmed as many bytes as may be on the way to it: further changes
    /// will be owed to it.
    pub(crate) fn is_congested(&self) -> bool {
        let staged_max = self.staged_max();
        self.lanes.values().any(|lane| lane.linked && lane.unconfirmed_bytes() >= staged_max)
    }

    /// This shard's share of the bytes that may be on the way to one member.
    fn staged_max(&self) -> usize {
        self.settings.bounds.max_unconfirmed_bytes / super::SHARDS
    }

    /// Sends a change to every member, or notes that the member is owed the session. Without a draft every
    /// member gets a copy.
    fn stage(
        &mut self,
        key: SessionKey,
        mut draft: Option<Draft>,
        waits: Waits,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) -> Ticket {
        let ticket = self.next_ticket();
        let boots: Vec<Boot> = self.lanes.keys().copied().collect();
        let spared = if waits == Waits::Placed { self.spared(key) } else { Vec::new() };
        let reachable_only = self.settings.plant == Plant::UnlinkedNotAwaited;
        let mut waiting = Vec::new();
        for (more, boot) in (0..boots.len()).rev().zip(boots) {
            let awaited = waits != Waits::Nobody
                && !spared.contains(&boot)
                && self.lanes.get(&boot).is_some_and(|lane| lane.awaited && (lane.linked || !reachable_only));
            if awaited {
                waiting.push(boot);
            }
            let draft = if more > 0 { draft.clone() } else { draft.take() };
            self.stage_for(boot, key, draft, awaited.then_some(ticket), now, fx);
        }
        let spared = u32::try_from(spared.len()).unwrap_or(u32::MAX);
        let receipt = Receipt { copies: 1, wanted: self.wanted_without(spared), ..Receipt::default() };
        if waiting.is_empty() {
            let is_async = waits == Waits::Nobody && !self.lanes.is_empty();
            let unconfirmed = is_async.then(|| self.unconfirmed_for(now));
            fx.push(Effect::Settled { ticket, receipt: Receipt { unconfirmed_for: unconfirmed, ..receipt } });
        } else {
            let is_end = self.tombstones.contains_key(&key);
            self.await_members(ticket, Pending::new(key, is_end, waiting, spared, receipt));
        }
        ticket
    }

    /// Members that a commit on this session need not wait for. Whoever an earlier commit on it still waits for
    /// is awaited: a response that saw both waits only for the later one.
    fn spared(&self, key: SessionKey) -> Vec<Boot> {
        let Some(session) = self.table.get(key) else { return Vec::new() };
        let session = PlacedSession { key, app: session.app };
        let Awaited::Only(chosen) = self.settings.placement.awaited(session, &self.own, &self.others) else {
            return Vec::new();
        };
        let earlier = self.unsettled.get(&key).and_then(|ticket| self.pending.get(ticket));
        let awaited = |boot: &Boot| {
            chosen.contains(boot) || earlier.is_some_and(|earlier| earlier.waiting.contains(boot))
        };
        let others = self.others.iter().map(|other| other.boot);
        others.filter(|boot| self.lanes.contains_key(boot) && !awaited(boot)).collect()
    }

    fn stage_for(
        &mut self,
        boot: Boot,
        key: SessionKey,
        draft: Option<Draft>,
        ticket: Option<Ticket>,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) {
        let staged_max = self.staged_max();
        let Some(lane) = self.lanes.get_mut(&boot) else { return };
        if !lane.has_room(staged_max) {
            lane.give_up(draft.as_ref().map_or(0, Draft::len));
            lane.owe(key, ticket);
            return;
        }
        let is_end = self.tombstones.contains_key(&key);
        let Some(draft) = draft.filter(|_| is_end || !lane.owes(key)) else {
            let mut waiters = lane.take_owed(key);
            waiters.extend(ticket);
            self.send_copy(boot, key, waiters, now, fx);
            return;
        };
        let mut waiters = lane.take_owed(key);
        waiters.extend(ticket);
        let place = lane.place(self.number, Carried::One(key), draft.len(), waiters, now);
        send(fx, boot, draft.at(place));
    }
}
