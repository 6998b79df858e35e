//! Opening and closing a session for a request.

use crate::session::UNANNOUNCED_SHARE;
use crate::shard::Shard;
use crate::wire::{self, Touch};
use crate::{
    Absent, AppId, Effects, EndReason, Fields, Incarnation, Instant, Opened, Opening, Proof, QuestionId,
    Secret, SessionKey, Ticket,
};
use std::time::Duration;

impl Shard {
    /// Opens a session that is here and in time, or says that it has ended; `None` where others have to be asked. A node
    /// that is not complete always asks: until it has compared, its copies may be behind what others acknowledged
    /// (rule 7.11).
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
        (is_in_time && self.is_complete).then(|| self.open_here(key, proof, now, effects))
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
        if self.stubs.contains(key) && self.is_complete {
            self.fetch_for_request(key, question, now, effects);
        } else {
            let is_due = self.table.get(key).is_some_and(|session| self.expiry.is_due(session, now));
            self.ask(key, is_due, question, now, effects);
        }
        Opening::Asking
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
        let unannounced = self.table.touch(key, |session| {
            session.open += 1;
            session.use_now(session.touch.saturating_add(1), now);
            let is_due = session.unannounced(now) >= session.max_inactive() / UNANNOUNCED_SHARE;
            if is_due {
                session.announce_use(now);
            }
            is_due.then_some(session.touch)
        });
        if let Some(Some(touch)) = unannounced.filter(|_| !planted!(self.settings, 1002)) {
            self.send_touch(key, touch, effects);
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

    /// The request is over; an open session does not expire.
    pub(crate) fn close(&mut self, key: SessionKey, now: Instant) {
        self.table.touch(key, |session| {
            session.open = session.open.saturating_sub(1);
            session.use_at(if planted!(self.settings, 1008) { session.used_at() } else { now });
        });
    }

    /// What a superseded secret still shows of a session that is here.
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

    /// The newest commit of this node on a session that is not settled: a response that read the session waits for it
    /// (rule 2.15).
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
        self.touch(SessionKey(touch.key), |session| {
            session.use_now(touch.touch, now);
            session.announce_use(now);
        });
    }

    /// Announces a use. It needs no acknowledgement: uses are announced often enough.
    fn send_touch(&self, key: SessionKey, touch: u32, effects: &mut Effects) {
        let frame = wire::encode(&Touch { key: key.0, touch });
        for (member, _) in self.peers.iter().filter(|(_, stream)| stream.linked) {
            effects.send(member, frame.clone());
        }
    }
}
