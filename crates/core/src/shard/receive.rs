//! Applying what another member sent.

use std::time::Duration;

use bytes::Bytes;

use crate::session::{Session, large_value};
use crate::shard::lane::{Arrival, birth};
use crate::shard::tell::Applied;
use crate::shard::{Shard, send};
use crate::tombstone::Tombstone;
use crate::wire::{self, Copies, Delta, End, FieldChange, Gap, Place, Placed, Snapshot, Verdict};
use crate::{
    AppId, Boot, Codec, Effect, Event, FieldName, FieldRef, Fields, Instant, Merge, NameRef, Plant,
    SessionKey, Stamp, ValueRef,
};

impl Shard {
    /// Whether something that `from` placed before this has not come.
    pub(crate) fn is_ahead(&self, from: Boot, place: Place) -> bool {
        self.lanes.get(&from).is_some_and(|lane| lane.arrivals.is_ahead(place))
    }

    /// Takes a frame that has a place, if it is the next one of its sender.
    pub(crate) fn on_placed(
        &mut self,
        from: Boot,
        place: Place,
        body: Placed<'_>,
        frame: &Bytes,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) {
        let Some(lane) = self.lanes.get_mut(&from) else { return };
        if self.settings.plant == Plant::GapOverlooked {
            lane.arrivals.overlook_gap(place);
        }
        match lane.arrivals.judge(place) {
            Arrival::Old => return,
            Arrival::Gap => {
                send(fx, from, wire::encode(&Gap { shard: place.shard, epoch: place.epoch }));
                return;
            }
            Arrival::Next => {}
        }
        let taken = match body {
            Placed::Delta(delta) => self.on_delta(from, &delta, frame, now, fx),
            Placed::Snapshot(snapshot) => {
                self.note_progress(from, SessionKey(snapshot.key), now);
                self.on_snapshot(&snapshot, frame, now, fx)
            }
            Placed::End(end) => {
                self.note_progress(from, SessionKey(end.key), now);
                self.on_end(from, &end, now, fx)
            }
            Placed::Copies(copies) => return self.on_copies(from, &copies, now, fx),
            Placed::Unknown if self.settings.plant == Plant::UnknownChangeTaken => Ok(()),
            // What it changed comes as a copy, which every version can read.
            Placed::Unknown => Err(Verdict::NeedSnapshot),
        };
        if let Err(verdict) = taken {
            self.refuse(from, verdict, None);
            // The answer to what was refused is owed: the end, or the copy that is in use.
            self.pump_all(now, fx);
        }
    }

    /// What was judged last is not taken, or one of the copies in it.
    fn refuse(&mut self, from: Boot, verdict: Verdict, copy: Option<u32>) {
        if self.settings.plant != Plant::RefusalUntold
            && let Some(lane) = self.lanes.get_mut(&from)
        {
            lane.arrivals.except(verdict, copy);
        }
    }

    /// Takes several copies, each by itself: one that is refused holds up no other.
    fn on_copies(&mut self, from: Boot, Copies { copies }: &Copies<'_>, now: Instant, fx: &mut Vec<Effect>) {
        let first_only = self.settings.plant == Plant::FirstCopyOnly;
        let copies = &copies[..if first_only { copies.len().min(1) } else { copies.len() }];
        let mut refused = false;
        for (number, copy) in (0..).zip(copies) {
            self.note_progress(from, SessionKey(copy.key), now);
            // Alone it comes in a form that every version can read, and its numbers are judged then.
            let session = Session::from_packed(copy, now).ok_or(Verdict::NeedSnapshot);
            if let Err(verdict) = session.and_then(|session| self.take_copy(session, now, fx)) {
                self.refuse(from, verdict, Some(number));
                refused = true;
            }
        }
        if refused {
            self.pump_all(now, fx);
        }
    }

    fn on_delta(
        &mut self,
        from: Boot,
        delta: &Delta<'_>,
        frame: &Bytes,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Verdict> {
        let key = SessionKey(delta.key);
        if self.tombstones.contains_key(&key) {
            self.tally.late_writes += 1;
            return Err(self.answer_with_end(from, key));
        }
        if self.settings.plant == Plant::AckIncomplete && !self.table.contains(key) {
            self.table.insert(incomplete(key, now));
        }
        let stamp = delta.stamp();
        let Some(session) = self.table.get(key) else { return Err(Verdict::NeedSnapshot) };
        let names_are_valid = delta.fields.iter().all(|field| FieldName::received(field.name).is_ok());
        // Before this node has compared, its copy may lack what went before the change, and would seem to have it.
        let leap = if self.donates { Stamp::MAX_LEAP } else { 1 };
        if stamp.counter > session.top.saturating_add(leap) || !names_are_valid {
            return Err(Verdict::NeedSnapshot);
        }
        let (mut applied, plant) = (self.applied(), self.settings.plant);
        let conflicts = self.table.update(key, |session| {
            let merge = |field: &&FieldChange<'_>| merge_change(session, field, stamp, frame, &mut applied);
            let conflicts = delta.fields.iter().filter(merge).count();
            if plant != Plant::TopNotRaised {
                session.top = session.top.max(stamp.counter);
            }
            session.use_now(delta.touch, now);
            session.tell_at(now);
            if delta.fields.iter().any(|field| NameRef::from(field.name).is_system()) {
                session.set_alarm();
            }
            conflicts
        });
        self.tally.conflicts += conflicts.unwrap_or(0) as u64;
        self.note_change(key, false, fx);
        fx.push(Effect::Event(Event::Replicated { key, from }));
        self.tell_applied(key, applied, true, fx);
        Ok(())
    }

    /// Merges a complete copy, whoever sent it and why.
    pub(super) fn on_snapshot(
        &mut self,
        snapshot: &Snapshot<'_>,
        frame: &Bytes,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Verdict> {
        let Some(mut session) = Session::from_snapshot(snapshot, frame, now) else {
            return Err(Verdict::Full);
        };
        if self.settings.plant == Plant::ForeignClock {
            session.believe_used_at(Instant::after_origin(Duration::from_millis(snapshot.idle_ms)));
        }
        self.take_copy(session, now, fx)
    }

    fn take_copy(&mut self, session: Session, now: Instant, fx: &mut Vec<Effect>) -> Result<(), Verdict> {
        let (key, birth) = (session.key, session.birth());
        let key = if self.settings.plant == Plant::NeighbourTaken { self.neighbour(key) } else { key };
        let mut revived = false;
        if let Some(end) = self.tombstones.get(&key) {
            let later = self.settings.plant == Plant::EndComparedByStamp && session.top > end.top;
            // A use that the end did not know counts only if it was within its time.
            let stands = session.is_over(now) || !end.yields_to(session.top, session.touch);
            if stands && !later {
                return Err(self.refuse_copy(key));
            }
            self.tombstones.remove(&key);
            revived = true;
        }
        if let Some(ours) = self.table.get(key) {
            // The planted copy is believed to be complete, so what completes it is not looked at.
            if self.settings.plant != Plant::AckIncomplete || ours.birth().number > 0 {
                self.merge_copy(key, &session, fx);
                self.note_change(key, false, fx);
            }
            return Ok(());
        }
        if self.is_swapped_out(key) {
            if self.is_full(session.fields.footprint()) {
                return Err(Verdict::Full);
            }
            self.marks.saw(birth);
            self.arrive(session, fx);
            return Ok(());
        }
        if !revived && self.marks.covers(birth) && self.settings.plant != Plant::EndForgottenEarly {
            // It was here and is not: it ended, and its end has been forgotten since.
            self.tombstones.insert(key, Tombstone::unknown(birth, now));
            return Err(self.refuse_copy(key));
        }
        if self.is_full(session.fields.footprint()) {
            return Err(Verdict::Full);
        }
        fx.push(Effect::Event(Event::Created { key, app: session.app, remote: true }));
        self.table.insert(session);
        self.marks.saw(birth);
        self.note_change(key, false, fx);
        self.tell_created(key, true, fx);
        Ok(())
    }

    /// For [`Plant::NeighbourTaken`] only: the session that comes next in the order of the keys.
    fn neighbour(&self, key: SessionKey) -> SessionKey {
        let later = self.table.iter().map(|session| session.key).filter(|known| *known >= key);
        later.min().unwrap_or(key)
    }

    pub(super) fn merge_copy(&mut self, key: SessionKey, theirs: &Session, fx: &mut Vec<Effect>) {
        let mut applied = self.applied();
        let conflicts = self.table.update(key, |session| {
            let mut conflicts = 0;
            for field in theirs.fields.all() {
                conflicts += usize::from(is_conflict(&session.fields, field.name, field.stamp));
                applied.merge(&mut session.fields, field);
            }
            session.catch_up(theirs);
            conflicts
        });
        self.tally.conflicts += conflicts.unwrap_or(0) as u64;
        self.tell_applied(key, applied, true, fx);
    }

    /// Takes an end, unless it is an expiry and the copy here is in use.
    pub(super) fn on_end(
        &mut self,
        from: Boot,
        end: &End,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Verdict> {
        let key = SessionKey(end.key);
        let theirs = Tombstone::from_wire(end, now);
        if let Some(session) = self.known(key) {
            if self.settings.plant == Plant::EndComparedByStamp && session.top > end.top {
                return Ok(());
            }
            let in_use = !session.is_over(now);
            if end.expired && in_use && session.top >= end.top {
                self.keep_alive(key, end.touch);
                return Err(Verdict::InUse);
            }
        }
        let was_here = self.known(key).is_some();
        if was_here && self.unsettled.contains_key(&key) {
            self.tally.late_writes += 1;
        }
        self.bury(key, theirs, Some(from), fx);
        self.settle_as_ended(key, fx);
        if was_here {
            self.follow_copies(key, now, fx);
        }
        Ok(())
    }

    /// The session has just ended. A copy from here may still reach somebody whom the end had reached before, and who has
    /// forgotten it: the end goes after it.
    fn follow_copies(&mut self, key: SessionKey, now: Instant, fx: &mut Vec<Effect>) {
        for lane in self.lanes.values_mut().filter(|lane| lane.is_sending(key)) {
            lane.owe(key, []);
        }
        self.pump_all(now, fx);
    }

    /// A copy that an expiry overlooked goes to everybody, with a use that the expiry did not know.
    fn keep_alive(&mut self, key: SessionKey, judged: u32) {
        self.touch(key, |session| session.touch = session.touch.max(judged.saturating_add(1)));
        self.owe_all(key);
    }

    pub(super) fn owe_all(&mut self, key: SessionKey) {
        self.lanes.values_mut().for_each(|lane| lane.owe(key, []));
    }

    /// The copy's session ended here. Others may have taken the same copy: who never heard of the end, and whom it reached
    /// within its time. So the end goes to everybody once more.
    fn refuse_copy(&mut self, key: SessionKey) -> Verdict {
        self.owe_all(key);
        Verdict::Ended
    }

    /// The sender has a session that ended here: it gets the end.
    fn answer_with_end(&mut self, from: Boot, key: SessionKey) -> Verdict {
        if let Some(lane) = self.lanes.get_mut(&from) {
            lane.owe(key, []);
        }
        Verdict::Ended
    }
}

/// Merges one change of a delta; true if another node had written the field without knowing of it.
fn merge_change(
    session: &mut Session,
    change: &FieldChange<'_>,
    stamp: Stamp,
    frame: &Bytes,
    applied: &mut Applied,
) -> bool {
    let conflict = is_conflict(&session.fields, change.name.into(), stamp);
    let large = change.value.and_then(|bytes| large_value(change.codec, bytes, frame));
    let small = change.value.map(|bytes| ValueRef::new(Codec(change.codec), bytes));
    let value = large.as_ref().map(ValueRef::from).or(small);
    let merge = applied.merge(&mut session.fields, FieldRef { name: change.name.into(), stamp, value });
    conflict || merge == Merge::Clash
}

fn is_conflict(fields: &Fields, name: NameRef<'_>, stamp: Stamp) -> bool {
    fields.find(name).is_some_and(|ours| ours.stamp.counter == stamp.counter && ours.stamp.boot != stamp.boot)
}

/// For [`Plant::AckIncomplete`] only: a copy made of nothing but what a delta brought.
fn incomplete(key: SessionKey, now: Instant) -> Session {
    let mut session = Session::new(key, AppId::default(), birth(0, 0), now);
    session.top = u64::from(u32::MAX);
    session
}
