//! Opening and closing a session for a request.

use crate::session::Session;
use crate::shard::Shard;
use crate::shard::commit::Waits;
use crate::wire::{self, Delta, Draft, Touch};
use crate::{
    Absent, Ack, AppId, Effects, EndReason, Fields, Incarnation, Instant, Opened, Opening, Proof, QuestionId,
    Secret, SessionKey, Ticket,
};
use std::time::Duration;

impl Shard {
    /// Opens a session that is here and in time, or says that it has ended; `None` where others have to be
    /// asked. A node that is not complete always asks: until it has compared, its copies may be behind what
    /// others acknowledged (rule 7.11).
    pub(crate) fn open_at_once(
        &mut self,
        key: SessionKey,
        proof: Proof,
        now: Instant,
        effects: &mut Effects,
    ) -> Option<Opening> {
        if self.tombstones.contains(key) {
            return Some(Opening::Absent(Absent::Ended));
        }
        let is_in_time = self.table.get(key).is_some_and(|session| !self.expiry.is_due(session, now));
        (is_in_time && self.serves_alone(key)).then(|| self.open_here(key, proof, now, effects))
    }

    /// The same; otherwise every member is asked, or the store.
    pub(crate) fn open(
        &mut self,
        key: SessionKey,
        proof: Proof,
        question: QuestionId,
        now: Instant,
        effects: &mut Effects,
    ) -> Opening {
        if let Some(opening) = self.open_at_once(key, proof, now, effects) {
            return opening;
        }
        if self.stubs.contains(key) && self.serves_alone(key) {
            self.fetch_for_request(key, question, now, effects);
        } else {
            let is_due = self.table.get(key).is_some_and(|session| self.expiry.is_due(session, now));
            self.ask(key, is_due, question, now, effects);
        }
        Opening::Asking
    }

    /// Whether what is here of a session may be served without asking: this node is complete, and there was
    /// room for everything that came of the session (rules 7.11 and 7.26).
    fn serves_alone(&self, key: SessionKey) -> bool {
        self.is_complete && (self.behind.is_empty() || !self.behind.contains(&key))
    }

    /// Opens a session after every member was asked.
    pub(crate) fn open_answered(
        &mut self,
        key: SessionKey,
        proof: Proof,
        question: QuestionId,
        now: Instant,
        effects: &mut Effects,
    ) -> Opening {
        let replies = self.questions.take_replies(key);
        if self.tombstones.contains(key) {
            return Opening::Absent(Absent::Ended);
        }
        if replies.no_room && self.behind.contains(&key) {
            return Opening::Absent(Absent::NoRoom);
        }
        if self.stubs.contains(key) {
            self.fetch_for_request(key, question, now, effects);
            return Opening::Asking;
        }
        match self.table.get(key) {
            Some(session) if self.expiry.is_due(session, now) && !replies.in_use && !replies.contested => {
                self.end(key, EndReason::Expired, None, now, effects);
                Opening::Absent(Absent::Ended)
            }
            Some(_) => self.open_here(key, proof, now, effects),
            None if replies.no_room => Opening::Absent(Absent::NoRoom),
            None => Opening::Absent(Absent::Unknown),
        }
    }

    fn open_here(&mut self, key: SessionKey, proof: Proof, now: Instant, effects: &mut Effects) -> Opening {
        let Some(session) = self.table.get(key) else { return Opening::Absent(Absent::Unknown) };
        if let Proof::Secret(secret) = proof
            && !session.fields.admits(secret)
        {
            return Opening::Absent(Absent::WrongSecret);
        }
        let opened = Opened { key, app: session.app, fields: session.fields.clone() };
        planted!(self.settings, TIMESTAMP_AT_SET => note_opened(&self.settings, key, session.clock));
        let is_use_due = self.table.touch(key, |session| {
            session.open += 1;
            session.use_now(session.touch.saturating_add(1), now);
            session.is_use_due(now)
        });
        if is_use_due == Some(true) && !planted!(self.settings, 1002) {
            self.announce_use(key, Waits::AckSet, now, effects);
        }
        Opening::Open(opened)
    }

    /// A request waits for content that is in a store. It is answered as if members had been asked.
    fn fetch_for_request(
        &mut self,
        key: SessionKey,
        question: QuestionId,
        now: Instant,
        effects: &mut Effects,
    ) {
        if self.stubs.await_content(key, question) {
            self.fetch(key, effects);
        } else {
            self.ask(key, false, question, now, effects);
        }
    }

    /// The request is over; an open session does not expire. The end of a long request is a use as well: the
    /// next tick announces it (rule 7.12).
    pub(crate) fn close(&mut self, key: SessionKey, now: Instant) {
        let is_use_due = self.table.touch(key, |session| {
            session.open = session.open.saturating_sub(1);
            session.use_at(if planted!(self.settings, 1008) { session.used_at() } else { now });
            session.is_use_due(now)
        });
        if is_use_due == Some(true) && !planted!(self.settings, CLOSE_IS_NO_USE) {
            self.uses.insert(key);
        }
    }

    /// Announces the ends of long requests, and that such requests go on.
    pub(super) fn announce_uses(&mut self, now: Instant, effects: &mut Effects) {
        let closed = std::mem::take(&mut self.uses);
        for key in closed.into_iter().chain(self.expiry.take_in_use()) {
            let use_now = |session: &mut Session| {
                let is_due = session.is_use_due(now);
                if is_due {
                    session.touch = session.touch.saturating_add(1);
                }
                is_due
            };
            if self.table.touch(key, use_now) == Some(true) && !planted!(self.settings, 1002) {
                self.announce_use(key, Waits::Nobody, now, effects);
            }
        }
    }

    /// Sends a use to every member, as a change without fields: it is acknowledged, and repeated until it is,
    /// because the members take the session for idle without it (rule 7.12).
    fn announce_use(&mut self, key: SessionKey, waits: Waits, now: Instant, effects: &mut Effects) {
        let announced = self.table.touch(key, |session| {
            session.announce_use(now);
            Delta { key: key.0, counter: session.clock, writer: 0, touch: session.touch, fields: Vec::new() }
        });
        let Some(delta) = announced else { return };
        if planted!(self.settings, USE_NOT_ACKNOWLEDGED) {
            return self.send_touch(key, delta.touch, effects);
        }
        let waits = if self.settings.ack == Ack::Asynchronous { Waits::Nobody } else { waits };
        self.stage(key, Some(Draft::delta(&delta, 0)), waits, None, now, effects);
    }

    /// The view of a superseded secret on a session that is here.
    pub(crate) fn before_change(
        &self,
        key: SessionKey,
        secret: Secret,
        grace: Duration,
        now: Instant,
    ) -> Option<(AppId, Fields)> {
        let session = self.table.get(key)?;
        session.fields.superseded_for(secret, session.age(now)).filter(|since| *since < grace)?;
        let view = session.fields.before_change_of(secret)?;
        let view = planted!(view => shown(&self.settings, session, view));
        Some((session.app, view))
    }

    /// The newest commit of this node on a session that is not settled: a response that read the session
    /// waits for it (rule 2.15).
    pub(crate) fn unsettled(&self, key: SessionKey) -> Option<Ticket> {
        self.settling.newest(key).filter(|_| !planted!(self.settings, READS_DO_NOT_WAIT))
    }

    /// A response waits for the newest unsettled commit on a session; false if all are settled.
    pub(crate) fn await_settled(&mut self, key: SessionKey, reader: Ticket) -> bool {
        self.unsettled(key).is_some_and(|newest| self.settling.add_reader(newest, reader))
    }

    /// Another member announces a use.
    pub(crate) fn on_touch(&mut self, from: Incarnation, touch: &Touch, now: Instant) {
        if !self.peers.contains(from) {
            return;
        }
        self.note_use(SessionKey(touch.key), touch.touch, now);
    }

    /// A use of which all members know.
    pub(super) fn note_use(&mut self, key: SessionKey, touch: u32, now: Instant) {
        self.touch(key, |session| {
            session.use_now(touch, now);
            session.announce_use(now);
        });
    }

    /// Announces a use as earlier versions do: nobody acknowledges it.
    fn send_touch(&self, key: SessionKey, touch: u32, effects: &mut Effects) {
        let frame = wire::encode(&Touch { key: key.0, touch });
        for (member, _) in self.peers.iter().filter(|(_, stream)| stream.linked) {
            effects.send(member, frame.clone());
        }
    }
}
