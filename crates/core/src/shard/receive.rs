//! Applying what another member sent.

use bytes::Bytes;

use crate::session::{Session, large_value};
use crate::shard::Shard;
use crate::shard::notify::Applied;
use crate::shard::peer_stream::Arrival;
use crate::tombstone::Tombstone;
use crate::wire::{
    self, Copies, Delta, End, FieldChange, Frame, Gap, Position, Sequenced, Snapshot, Verdict,
};
use crate::{
    Codec, Effects, Event, FieldName, FieldRef, Fields, Incarnation, Instant, Merge, NameRef, SessionKey,
    Timestamp, ValueRef,
};

/// A frame waits this part of the ack timeout for those before it. The sender gives up what is on the way after the
/// whole, so that this has to end well before.
const EARLY_WAIT_SHARE: u32 = 4;

impl Shard {
    /// Takes a frame that has a position, if it is the next one of its sender, and those after it that came before it.
    pub(crate) fn on_sequenced(
        &mut self,
        from: Incarnation,
        position: Position,
        body: Sequenced<'_>,
        frame: &Bytes,
        now: Instant,
        effects: &mut Effects,
    ) {
        let Some(stream) = self.streams.get_mut(&from) else { return };
        planted!(self.settings, GAP_OVERLOOKED => overlook_gap(&mut stream.arrivals, position));
        match stream.arrivals.judge(position, frame, now) {
            Arrival::Old => {}
            Arrival::Early => self.counters.frames_early += 1,
            Arrival::Gap => self.send_gap(from, position.epoch, effects),
            Arrival::Next => {
                self.take_sequenced(from, body, frame, now, effects);
                self.take_early(from, now, effects);
            }
        }
    }

    /// The frames whose turn has come.
    fn take_early(&mut self, from: Incarnation, now: Instant, effects: &mut Effects) {
        while let Some(frame) = self.streams.get_mut(&from).and_then(|stream| stream.arrivals.pop_next()) {
            // It could be read when it came.
            if let Ok(Some(Frame::Sequenced(_, body))) = wire::decode(&frame) {
                self.take_sequenced(from, body, &frame, now, effects);
            }
        }
    }

    /// Tells every sender of which frames have waited too long for one before them.
    pub(super) fn give_up_early(&mut self, now: Instant, effects: &mut Effects) {
        let limit = self.settings.timing.ack_timeout / EARLY_WAIT_SHARE;
        let gaps = self
            .streams
            .iter_mut()
            .filter_map(|(from, stream)| Some((*from, stream.arrivals.take_overdue_gap(limit, now)?)));
        for (from, epoch) in gaps.collect::<Vec<_>>() {
            self.send_gap(from, epoch, effects);
        }
    }

    fn send_gap(&mut self, to: Incarnation, epoch: u32, effects: &mut Effects) {
        self.counters.gaps += 1;
        effects.send(to, wire::encode(&Gap { shard: self.number, epoch }));
    }

    fn take_sequenced(
        &mut self,
        from: Incarnation,
        body: Sequenced<'_>,
        frame: &Bytes,
        now: Instant,
        effects: &mut Effects,
    ) {
        let taken = match body {
            Sequenced::Delta(delta) => self.on_delta(from, &delta, frame, now, effects),
            Sequenced::Snapshot(snapshot) => {
                self.note_progress(from, SessionKey(snapshot.key), now);
                self.on_snapshot(&snapshot, frame, now, effects)
            }
            Sequenced::End(end) => {
                self.note_progress(from, SessionKey(end.key), now);
                self.on_end(from, &end, now, effects)
            }
            Sequenced::Copies(copies) => return self.on_copies(from, &copies, now, effects),
            Sequenced::Unknown if planted!(self.settings, UNKNOWN_CHANGE_TAKEN) => Ok(()),
            // What it changed comes as a copy, which every version can read.
            Sequenced::Unknown => Err(Verdict::NeedSnapshot),
        };
        if let Err(verdict) = taken {
            self.refuse(from, verdict, None);
            // The answer to what was refused is backlog: the end, or the copy that is in use.
            self.pump_all(now, effects);
        }
    }

    /// What was judged last is not taken, or one of the copies in it.
    fn refuse(&mut self, from: Incarnation, verdict: Verdict, copy: Option<u32>) {
        if !planted!(self.settings, REFUSAL_UNREPORTED)
            && let Some(stream) = self.streams.get_mut(&from)
        {
            stream.arrivals.except(verdict, copy);
        }
    }

    /// Takes several copies, each by itself: one that is refused holds up no other.
    fn on_copies(
        &mut self,
        from: Incarnation,
        Copies { copies }: &Copies<'_>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let mut refused = false;
        for (number, copy) in (0..).zip(planted!(copies => taken_copies(&self.settings, copies))) {
            self.note_progress(from, SessionKey(copy.key), now);
            // Alone it comes in a form that every version can read, and its numbers are judged then.
            let session = Session::from_packed(copy, now).ok_or(Verdict::NeedSnapshot);
            if let Err(verdict) = session.and_then(|session| self.take_copy(session, now, effects)) {
                self.refuse(from, verdict, Some(number));
                refused = true;
            }
        }
        if refused {
            self.pump_all(now, effects);
        }
    }

    fn on_delta(
        &mut self,
        from: Incarnation,
        delta: &Delta<'_>,
        frame: &Bytes,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), Verdict> {
        let key = SessionKey(delta.key);
        if self.tombstones.contains_key(&key) {
            self.counters.late_writes += 1;
            return Err(self.answer_with_end(from, key));
        }
        planted!(self.settings, ACK_INCOMPLETE => keep_incomplete(&mut self.table, key, now));
        let Some(session) = self.table.get(key) else { return Err(Verdict::NeedSnapshot) };
        let timestamp = planted!(delta.timestamp() => merge_timestamp(&self.settings, session, delta));
        let names_are_valid = delta.fields.iter().all(|field| FieldName::received(field.name).is_ok());
        // Before this node has compared, its copy may lack what went before the change, and would seem to have it.
        let leap = if self.is_complete { Timestamp::MAX_LEAP } else { 1 };
        if timestamp.counter > session.clock.saturating_add(leap) || !names_are_valid {
            return Err(Verdict::NeedSnapshot);
        }
        let mut applied = self.applied();
        let conflicts = self.table.update(key, |session| {
            let merge =
                |field: &&FieldChange<'_>| merge_change(session, field, timestamp, frame, &mut applied);
            let conflicts = delta.fields.iter().filter(merge).count();
            let counter = if planted!(self.settings, CLOCK_NOT_RAISED) { 0 } else { timestamp.counter };
            session.clock = session.clock.max(counter);
            session.use_now(delta.touch, now);
            session.announce_use(now);
            if delta.fields.iter().any(|field| NameRef::from(field.name).is_system()) {
                session.set_alarm();
            }
            conflicts
        });
        self.counters.conflicts += conflicts.unwrap_or(0) as u64;
        self.note_change(key, false, effects);
        effects.event(Event::Replicated { key, from });
        self.notify_applied(key, applied, true, effects);
        Ok(())
    }

    /// Merges a complete copy, whoever sent it and why.
    pub(super) fn on_snapshot(
        &mut self,
        snapshot: &Snapshot<'_>,
        frame: &Bytes,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), Verdict> {
        let session = planted!(Session::from_snapshot(snapshot, frame, now) => received_copy(&self.settings, snapshot, frame, now));
        let Some(session) = session else { return Err(Verdict::Full) };
        self.take_copy(session, now, effects)
    }

    fn take_copy(&mut self, session: Session, now: Instant, effects: &mut Effects) -> Result<(), Verdict> {
        let (key, birth) = (session.key, session.birth());
        let key = planted!(key => copy_key(&self.settings, &self.table, key));
        let mut revived = false;
        if let Some(end) = self.tombstones.get(&key) {
            let later = planted!(self.settings, END_COMPARED_BY_TIMESTAMP) && session.clock > end.clock;
            // A use that the end did not know counts only if it was within its time.
            let stands = session.is_over(now) || !end.yields_to(session.clock, session.touch);
            if stands && !later {
                return Err(self.refuse_copy(key));
            }
            self.tombstones.remove(&key);
            revived = true;
        }
        if let Some(ours) = self.table.get(key) {
            if !planted!(self.settings, ACK_INCOMPLETE) || ours.birth().number > 0 {
                self.merge_copy(key, &session, effects);
                self.note_change(key, false, effects);
            }
            return Ok(());
        }
        if self.is_swapped_out(key) {
            if self.is_full(session.fields.footprint()) {
                return Err(Verdict::Full);
            }
            self.marks.saw(birth);
            self.arrive(session, effects);
            return Ok(());
        }
        if !revived && self.marks.covers(birth) && !planted!(self.settings, END_FORGOTTEN_EARLY) {
            // It was here and is not: it ended, and its end has been forgotten since.
            self.tombstones.insert(key, Tombstone::unknown(birth, now));
            return Err(self.refuse_copy(key));
        }
        if self.is_full(session.fields.footprint()) {
            return Err(Verdict::Full);
        }
        effects.event(Event::Created { key, app: session.app, remote: true });
        self.table.insert(session);
        self.marks.saw(birth);
        self.note_change(key, false, effects);
        self.notify_created(key, true, effects);
        Ok(())
    }

    pub(super) fn merge_copy(&mut self, key: SessionKey, theirs: &Session, effects: &mut Effects) {
        let mut applied = self.applied();
        let conflicts = self.table.update(key, |session| {
            let mut conflicts = 0;
            for field in theirs.fields.all() {
                conflicts += usize::from(is_conflict(&session.fields, field.name, field.timestamp));
                applied.merge(&mut session.fields, field);
            }
            session.catch_up(theirs);
            conflicts
        });
        self.counters.conflicts += conflicts.unwrap_or(0) as u64;
        self.notify_applied(key, applied, true, effects);
    }

    /// Takes an end, unless it is an expiry and the copy here is in use.
    pub(super) fn on_end(
        &mut self,
        from: Incarnation,
        end: &End,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), Verdict> {
        let key = SessionKey(end.key);
        let theirs = Tombstone::from_wire(end, now);
        if let Some(session) = self.known(key) {
            if planted!(self.settings, END_COMPARED_BY_TIMESTAMP) && session.clock > end.clock {
                return Ok(());
            }
            let in_use = !session.is_over(now);
            if end.expired && in_use && session.clock >= end.clock {
                self.keep_alive(key, end.touch);
                return Err(Verdict::InUse);
            }
        }
        let was_here = self.known(key).is_some();
        if was_here && self.unsettled.contains_key(&key) {
            self.counters.late_writes += 1;
        }
        self.record_end(key, theirs, Some(from), effects);
        self.settle_as_ended(key, effects);
        if was_here {
            self.follow_copies(key, now, effects);
        }
        Ok(())
    }

    /// The session has just ended. A copy from here may still reach somebody whom the end had reached before, and who has
    /// forgotten it: the end goes after it.
    fn follow_copies(&mut self, key: SessionKey, now: Instant, effects: &mut Effects) {
        for stream in self.streams.values_mut().filter(|stream| stream.is_sending(key)) {
            stream.add_to_backlog(key, []);
        }
        self.pump_all(now, effects);
    }

    /// A copy that an expiry overlooked goes to everybody, with a use that the expiry did not know.
    fn keep_alive(&mut self, key: SessionKey, judged: u32) {
        self.touch(key, |session| session.touch = session.touch.max(judged.saturating_add(1)));
        self.backlog_for_all(key);
    }

    pub(super) fn backlog_for_all(&mut self, key: SessionKey) {
        self.streams.values_mut().for_each(|stream| stream.add_to_backlog(key, []));
    }

    /// The copy's session ended here. Others may have taken the same copy: who never heard of the end, and whom it reached
    /// within its time. So the end goes to everybody once more.
    fn refuse_copy(&mut self, key: SessionKey) -> Verdict {
        self.backlog_for_all(key);
        Verdict::Ended
    }

    /// The sender has a session that ended here: it gets the end.
    fn answer_with_end(&mut self, from: Incarnation, key: SessionKey) -> Verdict {
        if let Some(stream) = self.streams.get_mut(&from) {
            stream.add_to_backlog(key, []);
        }
        Verdict::Ended
    }
}

/// Merges one change of a delta; true if another node had written the field without knowing of it.
fn merge_change(
    session: &mut Session,
    change: &FieldChange<'_>,
    timestamp: Timestamp,
    frame: &Bytes,
    applied: &mut Applied,
) -> bool {
    let conflict = is_conflict(&session.fields, change.name.into(), timestamp);
    let large = change.value.and_then(|bytes| large_value(change.codec, bytes, frame));
    let small = change.value.map(|bytes| ValueRef::new(Codec(change.codec), bytes));
    let value = large.as_ref().map(ValueRef::from).or(small);
    let merge = applied.merge(&mut session.fields, FieldRef { name: change.name.into(), timestamp, value });
    conflict || merge == Merge::Clash
}

fn is_conflict(fields: &Fields, name: NameRef<'_>, timestamp: Timestamp) -> bool {
    fields.find(name).is_some_and(|ours| {
        ours.timestamp.counter == timestamp.counter && ours.timestamp.incarnation != timestamp.incarnation
    })
}
