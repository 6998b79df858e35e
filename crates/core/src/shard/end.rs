//! The end of sessions: made here, announced by a member, or found because a copy came that must not come
//! back.

use std::time::Duration;

use crate::marks::Birth;
use crate::shard::Shard;
use crate::shard::commit::Waits;
use crate::tombstone::{Tombstone, event_id};
use crate::wire::{Draft, End, Verdict};
use crate::{AppId, Effect, Effects, EndReason, Event, Incarnation, Instant, SessionKey, Ticket};

/// An end that a member announced within so many drop times before its removal may not have reached that
/// member's own listeners. Finding out that a process is dead takes up to one drop time.
const LAST_WORDS: u32 = 2;

impl Shard {
    /// Ends a session, known or not. It waits for every member, in every mode (rule 7.2).
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

    /// A session that no member holds ended before this node started.
    pub(crate) fn remember_end(&mut self, key: SessionKey, end: Tombstone) {
        if !self.tombstones.contains(key) {
            self.tombstones.record(key, end, None);
        }
    }

    fn end_as(
        &mut self,
        key: SessionKey,
        end: Tombstone,
        ticket: Option<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let recorded = self.record_end(key, end, None, effects);
        match end.reason {
            EndReason::Invalidated => self.counters.invalidated += 1,
            EndReason::Expired => self.counters.expired += 1,
        }
        self.settling.drop_commits(key, effects);
        if self.tombstones.are_many() {
            self.forget_ends(now);
        }
        let waits = if planted!(self.settings, END_ASYNCHRONOUS) { Waits::Nobody } else { Waits::AllMembers };
        self.stage(key, Some(Draft::end(&recorded.to_wire(key))), waits, ticket, now, effects);
    }

    /// Remembers an end that another member announced or this node made, and drops the copy. Gives the end as
    /// it is remembered.
    fn record_end(
        &mut self,
        key: SessionKey,
        end: Tombstone,
        announced_by: Option<Incarnation>,
        effects: &mut Effects,
    ) -> Tombstone {
        let stub = self.stubs.take(key);
        let in_memory = self.table.remove(key);
        self.marks.saw(end.birth);
        let held = in_memory.or(stub.map(|stub| self.abandon_content(stub, effects)));
        let ended_copy = held.as_ref().zip(announced_by).map(|(session, by)| (session.app, by));
        let end = self.tombstones.record(key, end, ended_copy);
        self.announced_ends.remove(&key);
        self.behind.remove(&key);
        if let Some(session) = &held {
            let remote = announced_by.is_some();
            self.marks.ended(session.birth());
            self.notices.ended(session, end.reason, remote, effects);
            planted!(self.settings, NOTIFIED_TWICE => notify_again(&mut self.notices, session, end.reason, remote, effects));
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
        end
    }

    /// Takes an end that a member announced, unless it is an expiry and the copy here is in use (rule 7.17).
    pub(super) fn on_end(
        &mut self,
        from: Incarnation,
        end: &End,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), Verdict> {
        let key = SessionKey(end.key);
        let known = self.known(key);
        let was_here = known.is_some();
        if let Some(session) = known {
            if planted!(self.settings, END_COMPARED_BY_TIMESTAMP) && session.clock > end.clock {
                return Ok(());
            }
            if end.expired && !session.is_over(now) && session.clock >= end.clock {
                self.keep_alive(key, end.touch);
                return Err(Verdict::InUse);
            }
        }
        if was_here && self.settling.newest(key).is_some() {
            self.counters.late_writes += 1;
        }
        self.record_end(key, Tombstone::from_wire(end, now), Some(from), effects);
        self.settling.drop_commits(key, effects);
        if self.tombstones.are_many() {
            self.forget_ends(now);
        }
        if was_here {
            // A copy on the way may reach a member that had the end before and has forgotten it: the end goes
            // after it.
            self.peers.add_behind_frames(key);
            self.pump_all(now, effects);
        }
        Ok(())
    }

    /// Whether a session that is not here ended here before: birth marks tell (rule 7.8). Then its end is
    /// remembered anew.
    pub(super) fn ended_before(&mut self, key: SessionKey, birth: Birth, now: Instant) -> bool {
        let has_ended = planted!(self.marks.covers(birth) => covered(&self.settings, &self.marks, birth));
        if has_ended {
            self.tombstones.record(key, Tombstone::unknown(birth, now), None);
        }
        has_ended
    }

    /// Refuses a copy whose session has ended here. Others may have taken the same copy, those that never
    /// heard of the end and those that have forgotten it: the end goes to everybody once more (rule 7.5).
    pub(super) fn refuse_ended(&mut self, key: SessionKey) -> Verdict {
        self.peers.add_to_backlogs(key);
        Verdict::Ended
    }

    /// An expiry overlooked the copy that is here. The copy goes to everybody, with a use that the expiry did
    /// not know.
    fn keep_alive(&mut self, key: SessionKey, judged: u32) {
        self.touch(key, |session| session.touch = session.touch.max(judged.saturating_add(1)));
        self.peers.add_to_backlogs(key);
    }

    /// A member is taken for dead: the ends that it announced are notified here in its place, with the next
    /// tick (rule 7.23).
    pub(crate) fn speak_for(&mut self, dead: Incarnation, now: Instant) {
        self.spoken_for.push((
            dead,
            now.minus(
                self.settings.timing.drop_time * LAST_WORDS * u32::from(!planted!(self.settings, 1009)),
            ),
        ));
    }

    pub(super) fn speak_for_lost(&mut self, effects: &mut Effects) {
        for (dead, since) in std::mem::take(&mut self.spoken_for) {
            for (key, end) in self.tombstones.announced_by(dead, since) {
                self.notices.ended_for(key, end, effects);
            }
        }
    }
}
