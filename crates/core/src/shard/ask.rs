//! Asking every member about a session that is not here, or that is about to expire; and answering such
//! questions.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::session::UNANNOUNCED_SHARE;
use crate::shard::Shard;
use crate::shard::questions::{Answered, Replies};
use crate::wire::{self, Answer, Ask, Verdict};
use crate::{Effect, Effects, EndReason, Incarnation, Instant, QuestionId, SessionKey};

/// Sessions that are asked for at once where there was no room for what members sent.
const CAUGHT_UP_AT_ONCE: usize = 16;

impl Shard {
    /// A request asks: begins a question, or joins the one that is open.
    pub(super) fn ask(
        &mut self,
        key: SessionKey,
        is_expiry: bool,
        asker: QuestionId,
        now: Instant,
        effects: &mut Effects,
    ) {
        if !self.questions.join(key, is_expiry, asker) {
            self.begin_question(key, is_expiry, vec![asker], now, effects);
        }
    }

    /// Asks whether a session that is idle here is in use elsewhere; ends it if not.
    pub(super) fn ask_expiry(&mut self, key: SessionKey, now: Instant, effects: &mut Effects) {
        if !self.questions.contains(key) {
            self.begin_question(key, true, Vec::new(), now, effects);
        }
    }

    pub(super) fn begin_question(
        &mut self,
        key: SessionKey,
        is_expiry: bool,
        askers: Vec<QuestionId>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let id = self.next_number();
        let members: BTreeSet<Incarnation> = self.peers.members().collect();
        let members = planted!(members => asked(&self.settings, members, is_expiry));
        self.questions.begin(key, id, is_expiry, askers, members, now);
        self.counters.asks += 1;
        self.send_question(key, effects);
        self.finish_if_answered(key, now, effects);
    }

    fn send_question(&self, key: SessionKey, effects: &mut Effects) {
        let Some(question) = self.questions.unanswered(key) else { return };
        let frame = wire::encode(&Ask { ask: question.id, key: key.0, expiry: question.is_expiry });
        for member in question.members {
            effects.send(*member, frame.clone());
        }
    }

    /// Another member asks.
    pub(crate) fn on_ask(&mut self, from: Incarnation, ask: &Ask, now: Instant, effects: &mut Effects) {
        if !self.peers.contains(from) {
            return;
        }
        let key = SessionKey(ask.key);
        let end = self.tombstones.get(key).map(|end| end.to_wire(key));
        let is_wanted = ask.expiry && self.questions.contest(key) || self.stubs.is_awaited(key);
        let known = self.known(key);
        let touch = known.map(|session| session.touch);
        let is_sent = known.filter(|session| !ask.expiry || is_wanted || !self.expiry.is_due(session, now));
        let (is_held, is_lost) = (is_sent.is_some(), self.stubs.is_lost(key));
        if is_held && self.stubs.contains(key) && (!is_lost || ask.expiry) {
            // The member repeats its question until it is answered.
            self.stubs.asked(from, ask);
            self.fetch(key, effects);
            if is_lost && !self.questions.contains(key) {
                self.begin_question(key, false, Vec::new(), now, effects);
            }
            return;
        }
        // Of content that the store has lost nobody gets a copy: two that wait for each other would wait for
        // ever (rule 11.8).
        let is_sent = self.known(key).filter(|_| is_held && !is_lost);
        let copy = is_sent.map(|session| session.snapshot(now));
        effects.send(from, wire::encode(&Answer { ask: ask.ask, key: ask.key, end, copy, touch }));
    }

    /// Asks for what there was no room for, now that there is some: a few sessions at a time (rule 7.26).
    pub(super) fn catch_up_behind(&mut self, now: Instant, effects: &mut Effects) {
        let behind = self.behind.iter().copied().filter(|key| !self.questions.contains(*key));
        let behind: Vec<SessionKey> = behind.take(CAUGHT_UP_AT_ONCE).collect();
        for key in behind {
            if !self.lacks_room(self.table.get(key).map_or(0, |session| session.fields.footprint())) {
                self.begin_question(key, false, Vec::new(), now, effects);
            }
        }
    }

    /// A member answered.
    pub(crate) fn on_answer(
        &mut self,
        from: Incarnation,
        answer: &Answer<'_>,
        frame: &Bytes,
        now: Instant,
        effects: &mut Effects,
    ) {
        let key = SessionKey(answer.key);
        if !self.questions.answer(key, answer.ask, from) {
            return;
        }
        planted!(self.settings, FIRST_ANSWER_WINS => await_nobody(&mut self.questions, key));
        let touch = answer.touch.unwrap_or(0);
        self.touch(key, |session| session.touch = session.touch.max(touch));
        // An expiry that a later use overruled is merged like any other: the copy outlives it.
        if let Some(end) = &answer.end {
            let _in_use = self.on_end(from, end, now, effects);
        }
        if let Some(copy) = &answer.copy {
            let no_room = self.on_snapshot(copy, frame, now, effects) == Err(Verdict::Full);
            self.questions.note_copy(key, no_room);
        }
        self.finish_if_answered(key, now, effects);
    }

    /// A member that is out need not answer.
    pub(super) fn ask_without(&mut self, member: Incarnation, now: Instant, effects: &mut Effects) {
        for key in self.questions.keys() {
            self.questions.remove_member(key, member);
            self.finish_if_answered(key, now, effects);
        }
    }

    /// This node is out: its questions decide nothing, and the requests that asked find the gate closed.
    pub(super) fn give_up_questions(&mut self, effects: &mut Effects) {
        for (key, answered) in self.questions.take_all() {
            self.wake(key, answered.askers, answered.replies, effects);
        }
    }

    /// Repeats questions that are not answered.
    pub(super) fn repeat_questions(&mut self, now: Instant, effects: &mut Effects) {
        for key in self.questions.late(self.settings.timing.ack_timeout, now) {
            self.send_question(key, effects);
        }
    }

    fn finish_if_answered(&mut self, key: SessionKey, now: Instant, effects: &mut Effects) {
        let Some(answered) = self.questions.take_answered(key) else { return };
        self.replace_lost(key);
        if !answered.replies.no_room {
            // Nobody has anything newer than what is here now.
            self.behind.remove(&key);
        }
        if answered.is_expiry && self.known(key).is_some_and(|session| self.expiry.is_due(session, now)) {
            self.decide_expiry(key, &answered, now, effects);
        }
        self.wake(key, answered.askers, answered.replies, effects);
    }

    /// Every member has answered whether a session that is due here may end.
    fn decide_expiry(&mut self, key: SessionKey, answered: &Answered, now: Instant, effects: &mut Effects) {
        let Replies { in_use, contested, .. } = answered.replies;
        // A member that learned meanwhile that the session is idle here may end it (rule 7.15). Nothing here
        // speaks against that any more, but a request that waits and is about to use it.
        let stays =
            if contested { !answered.askers.is_empty() } else { in_use || self.stubs.is_awaited(key) };
        if stays {
            self.prolong(key, now);
        } else if !contested {
            self.end(key, EndReason::Expired, None, now, effects);
        }
    }

    /// Some member does not find the session idle for long enough, by a use or a grace that this node does
    /// not know: ending it here would be undone there. Only when all have answered: it is no use, and speaks
    /// against no end that comes meanwhile (rule 7.16).
    fn prolong(&mut self, key: SessionKey, now: Instant) {
        self.touch(key, |session| {
            let max_inactive = session.max_inactive();
            session.use_at(now.minus(max_inactive).plus(max_inactive / UNANNOUNCED_SHARE));
        });
    }

    fn wake(&mut self, key: SessionKey, askers: Vec<QuestionId>, replies: Replies, effects: &mut Effects) {
        if !askers.is_empty() {
            self.questions.keep_replies(key, replies);
        }
        effects.extend(askers.into_iter().map(|question| Effect::Answered { question }));
    }
}
