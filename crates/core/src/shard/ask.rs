//! Asking every member for a session that is not here, or that is about to expire.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::session::Session;
use crate::shard::expire::UNTOLD_SHARE;
use crate::shard::stored::Stub;
use crate::shard::{Shard, send};
use crate::wire::{self, Answer, Ask, Verdict};
use crate::{AskId, Boot, Effect, EndReason, Instant, Plant, SessionKey};

/// Answers that are remembered until their askers look.
const ANSWERED_MAX: usize = 1024;

/// What the members said of a session, as far as its copy does not tell it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answered {
    /// There was no room for the copy that one sent.
    pub(super) no_room: bool,
    /// One does not agree that its time is over.
    pub(super) in_use: bool,
    /// One asked the same meanwhile and may let it expire.
    pub(super) contested: bool,
}

/// A question on its way to every member. One "ended" beats all content.
#[derive(Debug)]
pub(crate) struct Asking {
    id: u64,
    askers: Vec<AskId>,
    waiting: BTreeSet<Boot>,
    /// The asker would end the session; idle members need not send it.
    expiry: bool,
    asked_at: Instant,
    answered: Answered,
}

impl Asking {
    /// One more member has to answer. It gets the question with the next repetition.
    pub(super) fn also(&mut self, boot: Boot) {
        self.waiting.insert(boot);
    }
}

impl Shard {
    /// Begins a question, or joins the one that is under way.
    pub(super) fn ask(&mut self, key: SessionKey, expiry: bool, now: Instant, fx: &mut Vec<Effect>) -> AskId {
        let ask = AskId(self.next_ticket().0);
        if let Some(asking) = self.asks.get_mut(&key)
            && asking.expiry == expiry
        {
            asking.askers.push(ask);
            return ask;
        }
        self.begin(key, expiry, vec![ask], now, fx);
        ask
    }

    /// Asks whether a session that is idle here is in use elsewhere; ends it if not.
    pub(super) fn ask_expiry(&mut self, key: SessionKey, now: Instant, fx: &mut Vec<Effect>) {
        if self.settings.plant == Plant::ExpiresAlone {
            self.end(key, EndReason::Expired, now, fx);
        } else if !self.asks.contains_key(&key) {
            self.begin(key, true, Vec::new(), now, fx);
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
        askers: Vec<AskId>,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) {
        let id = self.next_ticket().0;
        let earlier = self.asks.remove(&key).map(|asking| asking.askers).unwrap_or_default();
        let askers = earlier.into_iter().chain(askers).collect();
        let waiting = self.lanes.keys().copied().collect();
        self.asks.insert(
            key,
            Asking { id, askers, waiting, expiry, asked_at: now, answered: Answered::default() },
        );
        self.tally.asks += 1;
        self.repeat(key, fx);
        self.finish_if_answered(key, now, fx);
    }

    fn repeat(&self, key: SessionKey, fx: &mut Vec<Effect>) {
        let Some(asking) = self.asks.get(&key) else { return };
        let frame = wire::encode(&Ask { ask: asking.id, key: key.0, expiry: asking.expiry });
        for boot in &asking.waiting {
            send(fx, *boot, frame.clone());
        }
    }

    /// Another member asks.
    pub(crate) fn on_ask(&mut self, from: Boot, ask: &Ask, now: Instant, fx: &mut Vec<Effect>) {
        if !self.lanes.contains_key(&from) {
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
            self.fetch_for_member(from, ask, fx);
            return;
        }
        let copy = session.map(|session| session.snapshot(now));
        let touch = self.known(key).map(|session| session.touch);
        send(fx, from, wire::encode(&Answer { ask: ask.ask, key: ask.key, end, copy, touch }));
    }

    /// A member answered.
    pub(crate) fn on_answer(
        &mut self,
        from: Boot,
        answer: &Answer<'_>,
        frame: &Bytes,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) {
        let key = SessionKey(answer.key);
        let expected = self.asks.get_mut(&key).filter(|asking| asking.id == answer.ask);
        let Some(asking) = expected else { return };
        if !asking.waiting.remove(&from) {
            return;
        }
        if self.settings.plant == Plant::FirstAnswerWins {
            asking.waiting.clear();
        }
        let touch = answer.touch.unwrap_or(0);
        self.touch(key, |session| session.touch = session.touch.max(touch));
        // An expiry that a later use overruled is merged like any other: the copy outlives it.
        if let Some(end) = &answer.end {
            let _in_use = self.on_end(from, end, now, fx);
        }
        if let Some(copy) = &answer.copy {
            let no_room = self.on_snapshot(copy, frame, now, fx) == Err(Verdict::Full);
            if let Some(asking) = self.asks.get_mut(&key) {
                asking.answered.no_room |= no_room;
                asking.answered.in_use |= asking.expiry;
            }
        }
        self.finish_if_answered(key, now, fx);
    }

    /// For somebody the session is not idle long enough, by a use or by a grace that this node does not
    /// know: ending it here would be undone there. Not before all have answered: it is no use, and speaks
    /// against no end that comes meanwhile.
    fn prolong(&mut self, key: SessionKey, now: Instant) {
        self.touch(key, |session| {
            let max_inactive = session.max_inactive();
            session.use_at(now.minus(max_inactive).plus(max_inactive / UNTOLD_SHARE));
        });
    }

    /// A member that is out need not answer.
    pub(super) fn asks_without(&mut self, boot: Boot, now: Instant, fx: &mut Vec<Effect>) {
        let keys: Vec<SessionKey> = self.asks.keys().copied().collect();
        for key in keys {
            if let Some(asking) = self.asks.get_mut(&key) {
                // Whether it used the session stays unknown: that is no consent to an end.
                let unanswered = asking.waiting.remove(&boot);
                asking.answered.in_use |= unanswered && asking.expiry;
            }
            self.finish_if_answered(key, now, fx);
        }
    }

    /// This node is out: what it asked decides nothing. Who asked finds the gate closed.
    pub(super) fn give_up_asks(&mut self, fx: &mut Vec<Effect>) {
        for (key, asking) in std::mem::take(&mut self.asks) {
            let undecided = Answered { in_use: true, ..asking.answered };
            self.finish(key, asking.askers, undecided, fx);
        }
    }

    /// Repeats questions that are not answered; frames may be lost.
    pub(super) fn repeat_asks(&mut self, now: Instant, fx: &mut Vec<Effect>) {
        let timeout = self.settings.timing.ack_timeout;
        let late = self.asks.iter().filter(|(_, asking)| now.since(asking.asked_at) >= timeout);
        let late: Vec<SessionKey> = late.map(|(key, _)| *key).collect();
        for key in late {
            if let Some(asking) = self.asks.get_mut(&key) {
                asking.asked_at = now;
            }
            self.repeat(key, fx);
        }
    }

    fn finish_if_answered(&mut self, key: SessionKey, now: Instant, fx: &mut Vec<Effect>) {
        if self.asks.get(&key).is_none_or(|asking| !asking.waiting.is_empty()) {
            return;
        }
        let Some(asking) = self.asks.remove(&key) else { return };
        self.forget_lost(key);
        let due = self.known(key).is_some_and(|session| self.is_due(session, now));
        let in_use = asking.answered.in_use || self.stubs.get(&key).is_some_and(Stub::is_awaited);
        // Who was told meanwhile that it is idle here may end it: nothing here speaks against that any more, but a
        // request that waits and is about to use it.
        let contested = asking.answered.contested;
        let stays = if contested { !asking.askers.is_empty() } else { in_use };
        if asking.expiry && due && stays {
            self.prolong(key, now);
        } else if asking.expiry && due && !contested {
            self.end(key, EndReason::Expired, now, fx);
        }
        self.finish(key, asking.askers, asking.answered, fx);
    }

    fn finish(&mut self, key: SessionKey, askers: Vec<AskId>, answered: Answered, fx: &mut Vec<Effect>) {
        if !askers.is_empty() && self.answered.len() < ANSWERED_MAX {
            self.answered.insert(key, answered);
        }
        fx.extend(askers.into_iter().map(|ask| Effect::Answered { ask }));
    }
}
