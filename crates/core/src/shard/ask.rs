//! Question every member for a session that is not here, or that is about to expire.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::session::Session;
use crate::shard::Shard;
use crate::shard::expire::UNANNOUNCED_SHARE;
use crate::shard::stored::Stub;
use crate::wire::{self, Answer, Ask, Verdict};
use crate::{Effect, Effects, EndReason, Incarnation, Instant, QuestionId, SessionKey};

/// Answers that are remembered until their askers look.
const ANSWERED_MAX: usize = 1024;

/// What the members said of a session, as far as its copy does not tell it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Replies {
    /// There was no room for the copy that one sent.
    pub(super) no_room: bool,
    /// One does not agree that its time is over.
    pub(super) in_use: bool,
    /// One asked the same meanwhile and may let it expire.
    pub(super) contested: bool,
}

/// A question on its way to every member. One "ended" beats all content.
#[derive(Debug)]
pub(crate) struct Question {
    id: u64,
    askers: Vec<QuestionId>,
    waiting: BTreeSet<Incarnation>,
    /// The asker would end the session; idle members need not send it.
    expiry: bool,
    asked_at: Instant,
    answered: Replies,
}

impl Question {
    /// One more member has to answer. It gets the question with the next repetition.
    pub(super) fn also(&mut self, incarnation: Incarnation) {
        self.waiting.insert(incarnation);
    }
}

impl Shard {
    /// Begins a question, or joins the one that is under way.
    pub(super) fn ask(
        &mut self,
        key: SessionKey,
        expiry: bool,
        question: QuestionId,
        now: Instant,
        effects: &mut Effects,
    ) {
        if let Some(asking) = self.asks.get_mut(&key)
            && asking.expiry == expiry
        {
            asking.askers.push(question);
            return;
        }
        self.begin(key, expiry, vec![question], now, effects);
    }

    /// Asks whether a session that is idle here is in use elsewhere; ends it if not.
    pub(super) fn ask_expiry(&mut self, key: SessionKey, now: Instant, effects: &mut Effects) {
        if !self.asks.contains_key(&key) {
            self.begin(key, true, Vec::new(), now, effects);
        }
    }

    /// How many questions about expiries are not answered yet.
    pub(super) fn asked_expiries(&self) -> usize {
        self.asks.values().filter(|asking| asking.expiry).count()
    }

    pub(super) fn begin(
        &mut self,
        key: SessionKey,
        expiry: bool,
        askers: Vec<QuestionId>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let id = self.next_number();
        let earlier = self.asks.remove(&key).map(|asking| asking.askers).unwrap_or_default();
        let askers = earlier.into_iter().chain(askers).collect();
        let waiting: BTreeSet<_> = self.streams.keys().copied().collect();
        let waiting = planted!(waiting => asked(&self.settings, waiting, expiry));
        self.asks.insert(
            key,
            Question { id, askers, waiting, expiry, asked_at: now, answered: Replies::default() },
        );
        self.counters.asks += 1;
        self.repeat(key, effects);
        self.finish_if_answered(key, now, effects);
    }

    fn repeat(&self, key: SessionKey, effects: &mut Effects) {
        let Some(asking) = self.asks.get(&key) else { return };
        let frame = wire::encode(&Ask { ask: asking.id, key: key.0, expiry: asking.expiry });
        for incarnation in &asking.waiting {
            effects.send(*incarnation, frame.clone());
        }
    }

    /// Another member asks.
    pub(crate) fn on_ask(&mut self, from: Incarnation, ask: &Ask, now: Instant, effects: &mut Effects) {
        if !self.streams.contains_key(&from) {
            return;
        }
        let key = SessionKey(ask.key);
        let end = self.tombstones.get(&key).map(|end| end.to_wire(key));
        // Of two who ask at once neither may end it for what the other said before; a request that waits
        // for its own question is a use.
        let own = self.asks.get_mut(&key).filter(|_| ask.expiry);
        let in_demand = own.as_ref().is_some_and(|asking| !asking.askers.is_empty());
        if let Some(own) = own {
            own.answered.contested = true;
        }
        let in_demand = in_demand || self.stubs.get(&key).is_some_and(Stub::is_awaited);
        let in_use = |session: &&Session| in_demand || !self.is_due(session, now);
        let session = self.known(key).filter(|session| !ask.expiry || in_use(session));
        if session.is_some() && self.stubs.contains_key(&key) {
            self.fetch_for_member(from, ask, effects);
            return;
        }
        let copy = session.map(|session| session.snapshot(now));
        let touch = self.known(key).map(|session| session.touch);
        effects.send(from, wire::encode(&Answer { ask: ask.ask, key: ask.key, end, copy, touch }));
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
        let expected = self.asks.get_mut(&key).filter(|asking| asking.id == answer.ask);
        let Some(asking) = expected else { return };
        if !asking.waiting.remove(&from) {
            return;
        }
        planted!(self.settings, FIRST_ANSWER_WINS => await_nobody(&mut asking.waiting));
        let touch = answer.touch.unwrap_or(0);
        self.touch(key, |session| session.touch = session.touch.max(touch));
        // An expiry that a later use overruled is merged like any other: the copy outlives it.
        if let Some(end) = &answer.end {
            let _in_use = self.on_end(from, end, now, effects);
        }
        if let Some(copy) = &answer.copy {
            let no_room = self.on_snapshot(copy, frame, now, effects) == Err(Verdict::Full);
            if let Some(asking) = self.asks.get_mut(&key) {
                asking.answered.no_room |= no_room;
                asking.answered.in_use |= asking.expiry;
            }
        }
        self.finish_if_answered(key, now, effects);
    }

    /// For somebody the session is not idle long enough, by a use or by a grace that this node does not
    /// know: ending it here would be undone there. Not before all have answered: it is no use, and speaks
    /// against no end that comes meanwhile.
    fn prolong(&mut self, key: SessionKey, now: Instant) {
        self.touch(key, |session| {
            let max_inactive = session.max_inactive();
            session.use_at(now.minus(max_inactive).plus(max_inactive / UNANNOUNCED_SHARE));
        });
    }

    /// A member that is out need not answer.
    pub(super) fn asks_without(&mut self, incarnation: Incarnation, now: Instant, effects: &mut Effects) {
        let keys: Vec<SessionKey> = self.asks.keys().copied().collect();
        for key in keys {
            if let Some(asking) = self.asks.get_mut(&key) {
                // Whether it used the session stays unknown: that is no consent to an end.
                let unanswered = asking.waiting.remove(&incarnation);
                asking.answered.in_use |= unanswered && asking.expiry;
            }
            self.finish_if_answered(key, now, effects);
        }
    }

    /// This node is out: what it asked decides nothing. Who asked finds the gate closed.
    pub(super) fn give_up_asks(&mut self, effects: &mut Effects) {
        for (key, asking) in std::mem::take(&mut self.asks) {
            let undecided = Replies { in_use: true, ..asking.answered };
            self.finish(key, asking.askers, undecided, effects);
        }
    }

    /// Repeats questions that are not answered; frames may be lost.
    pub(super) fn repeat_asks(&mut self, now: Instant, effects: &mut Effects) {
        let timeout = self.settings.timing.ack_timeout;
        let late = self.asks.iter().filter(|(_, asking)| now.since(asking.asked_at) >= timeout);
        let late: Vec<SessionKey> = late.map(|(key, _)| *key).collect();
        for key in late {
            if let Some(asking) = self.asks.get_mut(&key) {
                asking.asked_at = now;
            }
            self.repeat(key, effects);
        }
    }

    fn finish_if_answered(&mut self, key: SessionKey, now: Instant, effects: &mut Effects) {
        if self.asks.get(&key).is_none_or(|asking| !asking.waiting.is_empty()) {
            return;
        }
        let Some(asking) = self.asks.remove(&key) else { return };
        self.forget_lost(key);
        let due = self.known(key).is_some_and(|session| self.is_due(session, now));
        let in_use = asking.answered.in_use || self.stubs.get(&key).is_some_and(Stub::is_awaited);
        // Who was announced meanwhile that it is idle here may end it: nothing here speaks against that any more, but a
        // request that waits and is about to use it.
        let contested = asking.answered.contested;
        let stays = if contested { !asking.askers.is_empty() } else { in_use };
        if asking.expiry && due && stays {
            self.prolong(key, now);
        } else if asking.expiry && due && !contested {
            self.end(key, EndReason::Expired, None, now, effects);
        }
        self.finish(key, asking.askers, asking.answered, effects);
    }

    fn finish(&mut self, key: SessionKey, askers: Vec<QuestionId>, answered: Replies, effects: &mut Effects) {
        if !askers.is_empty() && self.answered.len() < ANSWERED_MAX {
            self.answered.insert(key, answered);
        }
        effects.extend(askers.into_iter().map(|question| Effect::Answered { question }));
    }
}
