//! Sending to one member: in order, acknowledged, and sent again as copies when in doubt.

use std::collections::BTreeSet;

use crate::shard::Shard;
use crate::shard::backlog::Walk;
use crate::shard::in_flight::Carried;
use crate::shard::peer_stream::PeerStream;
use crate::wire::{AckLine, Draft, Exception, Verdict};
use crate::{Effects, Event, Incarnation, Instant, NotSent, NotTaken, SessionKey, Ticket};

/// Slots and ends that one step of a walk goes over at most.
const WALK_STEPS: usize = 256;

/// Acknowledgements of members.
impl Shard {
    /// Processes what `from` says it processed.
    pub(crate) fn on_ack(&mut self, from: Incarnation, line: AckLine, now: Instant, effects: &mut Effects) {
        let Some(stream) = self.peers.get_mut(from) else { return };
        let acknowledged = planted!(stream.in_flight.acknowledge(&line, now) => acknowledge(&self.settings, stream, line, now));
        let Some(acknowledged) = acknowledged else { return };
        for (mut frame, exceptions) in acknowledged {
            if exceptions.is_empty() {
                self.counters.confirmed_after.record(now.since(frame.sent_at));
                frame.waiters.iter().for_each(|ticket| self.confirm(*ticket, from, effects));
            }
            for Exception { verdict, copy, .. } in exceptions {
                if verdict == Verdict::NeedSnapshot {
                    self.note_unknown(from, &frame.carried);
                }
                for key in frame.carried.refused(copy) {
                    self.on_refusal(from, *key, std::mem::take(&mut frame.waiters), verdict, effects);
                }
            }
        }
        self.pump(from, now, effects);
    }

    fn confirm(&mut self, ticket: Ticket, by: Incarnation, effects: &mut Effects) {
        planted!(self.settings, SETTLES_ON_FIRST => await_only(&mut self.settling, &self.peers, ticket, by, effects));
        self.settling.confirm(ticket, by, effects);
    }

    /// A member that got several copies and asks for copies has not understood the frame (rule 2.8).
    fn note_unknown(&mut self, by: Incarnation, carried: &Carried) {
        if let (Carried::Several(_), Some(stream)) = (carried, self.peers.get_mut(by)) {
            stream.takes_several = false;
        }
    }

    fn on_refusal(
        &mut self,
        from: Incarnation,
        key: SessionKey,
        waiters: Vec<Ticket>,
        verdict: Verdict,
        effects: &mut Effects,
    ) {
        let cause = match verdict {
            Verdict::NeedSnapshot => NotTaken::NeedSnapshot,
            Verdict::Ended => NotTaken::Ended,
            Verdict::Full => NotTaken::Full,
            Verdict::InUse => NotTaken::InUse,
        };
        self.counters.negative_acks.count(cause);
        effects.event(Event::NotTaken { key: Some(key), by: from, cause });
        match verdict {
            Verdict::NeedSnapshot => {
                if let Some(stream) = self.peers.get_mut(from) {
                    stream.backlog.add(key, waiters);
                }
            }
            // The end is on its way to here; what was committed meanwhile is dropped.
            Verdict::Ended => {
                self.counters.late_writes += 1;
                // Until that end is here the session must not be opened by a node that was out (rule 5.14).
                if self.known(key).is_some() && !planted!(self.settings, READY_BEFORE_THE_END) {
                    self.announced_ends.insert(key, from);
                }
                waiters.iter().for_each(|ticket| self.settling.overtaken(*ticket, from, effects));
            }
            Verdict::Full => {
                self.counters.copies_refused += 1;
                // A change alone would make it seem to have what it refused (rule 2.6).
                if let Some(stream) = self.peers.get_mut(from) {
                    stream.backlog.add_without_copy(&[key]);
                }
                waiters.iter().for_each(|ticket| self.settling.give_up(*ticket, from, effects));
            }
            // The expiry is undone by the copy that follows.
            Verdict::InUse => waiters.iter().for_each(|ticket| self.confirm(*ticket, from, effects)),
        }
    }

    /// The member misses something: a new epoch begins, with copies.
    pub(crate) fn on_gap(&mut self, from: Incarnation, epoch: u32, now: Instant, effects: &mut Effects) {
        let Some(stream) = self.peers.get_mut(from).filter(|stream| stream.in_flight.epoch() == epoch) else {
            return;
        };
        stream.restart();
        self.counters.restarts += 1;
        self.counters.negative_acks.count(NotTaken::Gap);
        effects.event(Event::NotTaken { key: None, by: from, cause: NotTaken::Gap });
        self.pump(from, now, effects);
    }

    /// Sends again what a member did not acknowledge for the ack timeout. Gives the members that are late.
    pub(super) fn resend_late(&mut self, now: Instant, effects: &mut Effects) -> BTreeSet<Incarnation> {
        let timeout = self.settings.timing.ack_timeout;
        let is_late = |stream: &PeerStream| stream.linked && stream.in_flight.is_retry_due(timeout, now);
        let late = self.peers.iter().filter(|(_, stream)| is_late(stream));
        let late: BTreeSet<Incarnation> = late.map(|(member, _)| member).collect();
        for member in &late {
            if let Some(stream) = self.peers.get_mut(*member) {
                stream.retry(now);
                self.counters.restarts += 1;
            }
            self.pump(*member, now, effects);
        }
        late
    }
}

/// Frames with a position.
impl Shard {
    /// Gives a frame the next position of the stream and sends it. A frame that is not taken has no position:
    /// a copy is sent at the next tick. Until then nothing else is tried, so that a full queue costs one
    /// frame a tick.
    pub(super) fn transmit(
        &mut self,
        to: Incarnation,
        carried: Carried,
        draft: Draft,
        waiters: Vec<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let Some(stream) = self.peers.get_mut(to) else { return };
        let position = stream.push(self.number, carried, draft.len(), waiters, now);
        match effects.try_send(to, draft.at(position)) {
            Ok(()) => {}
            Err(NotSent::QueueFull | NotSent::NotConnected) => stream.take_back(),
            Err(NotSent::TooLong) => self.give_up_too_long(to, effects),
        }
    }

    /// The newest frame is longer than any link carries. Nobody waits for it; the member gets no changes of
    /// the session, which it could not apply, until a copy can be sent.
    fn give_up_too_long(&mut self, to: Incarnation, effects: &mut Effects) {
        let Some(frame) = self.peers.get_mut(to).and_then(PeerStream::take_back_too_long) else { return };
        for key in frame.carried.keys() {
            self.counters.negative_acks.count(NotTaken::TooLong);
            effects.event(Event::NotTaken { key: Some(*key), by: to, cause: NotTaken::TooLong });
        }
        frame.waiters.iter().for_each(|ticket| self.settling.give_up(*ticket, to, effects));
    }
}

/// The backlog of a member.
impl Shard {
    /// Sends to every member what its backlog and window allow.
    pub(super) fn pump_all(&mut self, now: Instant, effects: &mut Effects) {
        for member in self.peers.members().collect::<Vec<_>>() {
            self.pump(member, now, effects);
        }
    }

    /// Sends to a member what its backlog and window allow; with that, comparisons may be over.
    pub(super) fn pump(&mut self, to: Incarnation, now: Instant, effects: &mut Effects) {
        while self.peers.get(to).is_some_and(PeerStream::may_send_copies) {
            if !self.send_backlog(to, now, effects) && !self.walk_on(to, now, effects) {
                break;
            }
        }
        self.send_synced(to, effects);
        self.complete_comparison(to);
    }

    /// Sends the session as it is now, or its end. If neither is here, or the store has lost it, nothing has
    /// to be sent.
    pub(super) fn send_copy(
        &mut self,
        to: Incarnation,
        key: SessionKey,
        waiters: Vec<Ticket>,
        now: Instant,
        effects: &mut Effects,
    ) {
        if self.stubs.contains(key) && !self.stubs.is_lost(key) {
            let stream = self.peers.get_mut(to);
            if stream.is_some_and(|stream| stream.backlog.await_content(key, waiters)) {
                self.fetch(key, effects);
            }
            return;
        }
        let draft = if let Some(session) = self.table.get(key) {
            let copy = planted!(session.snapshot(now) => sent_copy(&self.settings, session, now));
            Draft::snapshot(&copy, session.fields.weight())
        } else if let Some(end) = self.tombstones.get(key) {
            Draft::end(&end.to_wire(key))
        } else {
            waiters.iter().for_each(|ticket| self.settling.give_up(*ticket, to, effects));
            return;
        };
        self.transmit(to, Carried::One(key), draft, waiters, now, effects);
    }

    /// One stretch of the walk over everything; false when there is none or it is over.
    fn walk_on(&mut self, to: Incarnation, now: Instant, effects: &mut Effects) -> bool {
        let Some(walk) = self.peers.get(to).and_then(|stream| stream.backlog.walk()) else { return false };
        let next = match walk {
            Walk::Sessions(from) => Some(self.walk_sessions(to, from, now, effects)),
            Walk::Stubs(after) => self.walk_stubs(to, after, now, effects),
            Walk::Ends(after) => self.walk_ends(to, after, now, effects),
        };
        if let Some(stream) = self.peers.get_mut(to) {
            stream.backlog.walked(next);
        }
        // A walk that did not move waits for content from the store.
        next.is_some_and(|next| next != walk)
    }

    fn walk_sessions(&mut self, to: Incarnation, from: u32, now: Instant, effects: &mut Effects) -> Walk {
        let end = self.table.slots();
        let next = self.send_slots(to, from, end.min(from.saturating_add(WALK_STEPS as u32)), now, effects);
        if next < end { Walk::Sessions(next) } else { Walk::Stubs(None) }
    }

    /// The sessions whose content is in a store, a few at a time.
    fn walk_stubs(
        &mut self,
        to: Incarnation,
        after: Option<SessionKey>,
        now: Instant,
        effects: &mut Effects,
    ) -> Option<Walk> {
        let most = self.peers.get(to).map_or(0, |stream| stream.backlog.fetchable());
        if most == 0 {
            return Some(Walk::Stubs(after));
        }
        let keys: Vec<SessionKey> = self.stubs.after(after).map(|(key, _)| key).take(most).collect();
        if let Some(last) = self.send_copies(to, keys, now, effects) {
            return Some(Walk::Stubs(Some(last)));
        }
        (!planted!(self.settings, TRANSFER_WITHOUT_ENDS)).then_some(Walk::Ends(None))
    }

    fn walk_ends(
        &mut self,
        to: Incarnation,
        after: Option<SessionKey>,
        now: Instant,
        effects: &mut Effects,
    ) -> Option<Walk> {
        let keys = self.tombstones.keys_after(after, WALK_STEPS);
        self.send_copies(to, keys, now, effects).map(|last| Walk::Ends(Some(last)))
    }

    /// Sends copies or ends one after another while the member's window allows it; gives the last that was
    /// sent. The window allows the first: [`pump`](Self::pump) has looked.
    fn send_copies(
        &mut self,
        to: Incarnation,
        keys: Vec<SessionKey>,
        now: Instant,
        effects: &mut Effects,
    ) -> Option<SessionKey> {
        let mut last = None;
        for key in keys {
            if !self.peers.get(to).is_some_and(PeerStream::has_window) {
                break;
            }
            self.send_copy(to, key, Vec::new(), now, effects);
            last = Some(key);
        }
        last
    }

    /// The line could not be sent.
    pub(crate) fn give_back_ack(&mut self, to: Incarnation, line: AckLine) {
        if let Some(stream) = self.peers.get_mut(to) {
            stream.arrivals.give_back_line(line);
        }
    }

    /// One cumulative line for everything that came from `from` since the last one.
    pub(crate) fn take_ack(&mut self, from: Incarnation) -> Option<AckLine> {
        self.peers.get_mut(from)?.arrivals.take_line(self.number)
    }
}
