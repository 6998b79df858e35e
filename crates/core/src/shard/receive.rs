//! Applying what another member sent.

use bytes::Bytes;

use crate::session::{Session, large_value};
use crate::shard::Shard;
use crate::shard::arrivals::Arrival;
use crate::shard::notices::AppliedChanges;
use crate::wire::{self, Copies, Delta, FieldChange, Frame, Gap, Position, Sequenced, Snapshot, Verdict};
use crate::{
    Codec, Effects, Event, FieldName, FieldRef, Fields, Incarnation, Instant, Merge, NameRef, SessionKey,
    Timestamp, ValueRef,
};

/// A frame waits this part of the ack timeout for those before it. The sender gives up what is on the way
/// after the whole, so that this has to end well before.
const EARLY_WAIT_SHARE: u32 = 4;

impl Shard {
    /// Takes a frame that has a position, if it is the next one of its sender, and those after it that came
    /// before it.
    pub(crate) fn on_sequenced(
        &mut self,
        from: Incarnation,
        position: Position,
        body: Sequenced<'_>,
        frame: &Bytes,
        now: Instant,
        effects: &mut Effects,
    ) {
        let Some(stream) = self.peers.get_mut(from) else { return };
        planted!(self.settings, GAP_OVERLOOKED => overlook_gap(&mut stream.arrivals, position));
        match stream.arrivals.judge(position, frame, now) {
            Arrival::Ignored => {}
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
        while let Some(frame) = self.peers.get_mut(from).and_then(|stream| stream.arrivals.take_early()) {
            // It could be read when it came.
            if let Ok(Some(Frame::Sequenced(_, body))) = wire::decode(&frame) {
                self.take_sequenced(from, body, &frame, now, effects);
            }
        }
    }

    /// Notifies every sender of which frames have waited too long for one before them.
    pub(super) fn give_up_early(&mut self, now: Instant, effects: &mut Effects) {
        let limit = self.settings.timing.ack_timeout / EARLY_WAIT_SHARE;
        let gaps = self
            .peers
            .iter_mut()
            .filter_map(|(from, stream)| Some((from, stream.arrivals.take_overdue_gap(limit, now)?)));
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
                self.comparisons.note_copy(from, SessionKey(snapshot.key), now);
                self.on_snapshot(&snapshot, frame, now, effects)
            }
            Sequenced::End(end) => {
                self.comparisons.note_copy(from, SessionKey(end.key), now);
                self.on_end(from, &end, now, effects)
            }
            Sequenced::Copies(copies) => return self.on_copies(from, &copies, now, effects),
            Sequenced::Unknown if planted!(self.settings, UNKNOWN_CHANGE_TAKEN) => Ok(()),
            // The sender sends the session as a copy, which every version can read (rule 12.2).
            Sequenced::Unknown => Err(Verdict::NeedSnapshot),
        };
        if let Err(verdict) = taken {
            self.refuse(from, verdict, None);
            // The answer to a refusal is in a backlog: the end, or the copy that is in use.
            self.pump_all(now, effects);
        }
    }

    /// The frame that was judged last is not taken, or one of the copies in it.
    fn refuse(&mut self, from: Incarnation, verdict: Verdict, copy: Option<u32>) {
        let stream = self.peers.get_mut(from).filter(|_| !planted!(self.settings, REFUSAL_UNREPORTED));
        if let Some(stream) = stream {
            stream.arrivals.refuse(verdict, copy);
        }
    }

    /// Takes several copies, each by itself: a copy that is refused holds up no other (rule 2.7).
    fn on_copies(
        &mut self,
        from: Incarnation,
        Copies { copies }: &Copies<'_>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let mut refused = false;
        for (number, copy) in (0..).zip(planted!(copies => taken_copies(&self.settings, copies))) {
            self.comparisons.note_copy(from, SessionKey(copy.key), now);
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
        if self.tombstones.contains(key) {
            self.counters.late_writes += 1;
            return Err(self.answer_with_end(from, key));
        }
        planted!(self.settings, ACK_INCOMPLETE => keep_incomplete(&mut self.table, key, now));
        if delta.fields.is_empty() && self.is_stub_at(key, delta.counter) {
            self.note_use(key, delta.touch, now);
            return Ok(());
        }
        let Some(session) = self.table.get(key) else { return Err(Verdict::NeedSnapshot) };
        let timestamp = planted!(delta.timestamp() => merge_timestamp(&self.settings, session, delta));
        let names_are_valid = delta.fields.iter().all(|field| FieldName::received(field.name).is_ok());
        // Until this node has compared, its copy may lack what went before the change, and would seem to have
        // it.
        let leap = match self.is_complete {
            // A use is announced at the clock that the session has.
            _ if delta.fields.is_empty() => 0,
            true => Timestamp::MAX_LEAP,
            false => 1,
        };
        if timestamp.counter > session.clock.saturating_add(leap) || !names_are_valid {
            return Err(Verdict::NeedSnapshot);
        }
        if self.lacks_room_for(session, delta) {
            self.behind.insert(key);
            return Err(Verdict::Full);
        }
        let mut applied = self.notices.begin();
        let merged = self.table.update(key, |session| {
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
            ((session.app, conflicts), applied.fingerprint())
        });
        let Some((app, conflicts)) = merged else { return Err(Verdict::NeedSnapshot) };
        self.counters.conflicts += conflicts as u64;
        if !delta.fields.is_empty() {
            self.note_change(key, false, effects);
        }
        effects.event(Event::Replicated { key, from });
        self.notices.changed(key, app, applied, true, effects);
        Ok(())
    }

    /// A session whose content is in a store, and which lacks nothing that was written up to this counter.
    fn is_stub_at(&self, key: SessionKey, counter: u64) -> bool {
        self.stubs.get(key).is_some_and(|stub| stub.session().clock >= counter)
    }

    /// Whether a change would make a session larger than there is room for (rule 2.20).
    fn lacks_room_for(&self, session: &Session, delta: &Delta<'_>) -> bool {
        let weight = |field: &FieldChange<'_>| field.name.len() + field.value.map_or(0, <[u8]>::len);
        let most = delta.fields.iter().map(weight).sum();
        self.lacks_room_to_grow(most, || {
            let held = |field: &FieldChange<'_>| session.fields.find(field.name.into());
            let held: usize = delta.fields.iter().filter_map(held).map(|field| field.weight()).sum();
            most.saturating_sub(held)
        })
    }

    /// Merges a complete copy, whoever sent it and why.
    pub(super) fn on_snapshot(
        &mut self,
        snapshot: &Snapshot<'_>,
        frame: &Bytes,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), Verdict> {
        let session = Session::from_snapshot(snapshot, frame, now);
        let session = planted!(session => received_copy(&self.settings, session, snapshot, frame, now));
        let Some(session) = session else { return Err(Verdict::Full) };
        self.take_copy(session, now, effects)
    }

    fn take_copy(&mut self, session: Session, now: Instant, effects: &mut Effects) -> Result<(), Verdict> {
        let (key, birth) = (session.key, session.birth());
        let key = planted!(key => copy_key(&self.settings, &self.table, key));
        let mut is_revived = false;
        if let Some(end) = self.tombstones.get(key) {
            let later = planted!(self.settings, END_COMPARED_BY_TIMESTAMP) && session.clock > end.clock;
            // A use that the end did not know counts only if it was within its time (rule 7.17).
            let stands = session.is_over(now) || !end.yields_to(session.clock, session.touch);
            if stands && !later {
                return Err(self.refuse_ended(key));
            }
            self.tombstones.undo(key);
            is_revived = true;
        }
        if let Some(ours) = self.table.get(key) {
            let grown = || {
                let mut both = ours.clone();
                both.merge(&session);
                both.footprint().saturating_sub(ours.footprint())
            };
            if self.lacks_room_to_grow(session.fields.footprint(), grown) {
                self.behind.insert(key);
                return Err(Verdict::Full);
            }
            self.announced_ends.remove(&key);
            if !planted!(self.settings, ACK_INCOMPLETE) || ours.birth().number > 0 {
                self.merge_copy(key, &session, effects);
                self.note_change(key, false, effects);
            }
            return Ok(());
        }
        let is_swapped_out = self.stubs.contains(key);
        if !is_swapped_out && !is_revived && self.ended_before(key, birth, now) {
            return Err(self.refuse_ended(key));
        }
        // A copy that is refused for lack of room is not noted as seen (rule 7.10).
        if self.lacks_room(session.fields.footprint()) {
            if is_swapped_out && !planted!(self.settings, BEHIND_SERVES) {
                self.behind.insert(key);
            }
            return Err(Verdict::Full);
        }
        self.announced_ends.remove(&key);
        if is_swapped_out {
            self.marks.saw(birth);
            self.arrive(session, effects);
            return Ok(());
        }
        self.marks.came(birth);
        effects.event(Event::Created { key, app: session.app, remote: true });
        self.table.insert(session);
        self.note_change(key, false, effects);
        self.notify_created(key, true, effects);
        Ok(())
    }

    pub(super) fn merge_copy(&mut self, key: SessionKey, theirs: &Session, effects: &mut Effects) {
        let mut applied = self.notices.begin();
        let merged = self.table.update(key, |session| {
            let mut conflicts = 0;
            for field in theirs.fields.all() {
                conflicts += u64::from(is_conflict(&session.fields, field.name, field.timestamp));
                applied.merge(&mut session.fields, field);
            }
            session.catch_up(theirs);
            ((session.app, conflicts), applied.fingerprint())
        });
        let Some((app, conflicts)) = merged else { return };
        self.counters.conflicts += conflicts;
        self.notices.changed(key, app, applied, true, effects);
    }

    /// The sender has a session that ended here: it gets the end.
    fn answer_with_end(&mut self, from: Incarnation, key: SessionKey) -> Verdict {
        if let Some(stream) = self.peers.get_mut(from) {
            stream.backlog.add(key, []);
        }
        Verdict::Ended
    }

    /// Notes a use, or another change that leaves the content as it is.
    pub(super) fn touch(&mut self, key: SessionKey, mut change: impl FnMut(&mut Session)) {
        self.stubs.touch(key, &mut change);
        self.table.touch(key, change);
    }
}

/// Merges one change of a delta; true if another node had written the field without knowing of it.
fn merge_change(
    session: &mut Session,
    change: &FieldChange<'_>,
    timestamp: Timestamp,
    frame: &Bytes,
    applied: &mut AppliedChanges,
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
