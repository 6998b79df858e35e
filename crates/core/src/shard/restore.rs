//! Swapping content out, and bringing it back from a store when it is needed.
//!
//! A request, a member that needs a copy, or a member that asks makes the shard order the content by
//! `Effect::Fetch`. It comes with [`Shard::restore`], or [`Shard::lost`] says that it cannot come. Must not
//! know what a store is, where it is, nor when a session should be swapped out.

use bytes::Bytes;

use crate::session::Session;
use crate::shard::Shard;
use crate::shard::stubs::{Lost, Stub};
use crate::wire::Snapshot;
use crate::{Effect, Effects, Event, Incarnation, Instant, QuestionId, SessionKey, Ticket, Version};

/// The outcome for content that came from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// The session is here.
    Here,
    /// It ended since it was saved, here or elsewhere.
    Ended,
    /// There is no room for one more session.
    Full,
}

impl Shard {
    /// Drops the content of a session that is stored in exactly this version. False while it is used, or a
    /// member may lack it, or when it has changed since (rule 11.1).
    pub(crate) fn swap_out(&mut self, key: SessionKey, version: Version) -> bool {
        let rests =
            self.table.get(key).is_some_and(|session| session.open == 0 && session.version() == version);
        let is_needed =
            self.settling.newest(key).is_some() || self.questions.contains(key) || self.peers.lack(key);
        // A walk that looks at those in the store first would miss it (rule 6.10).
        let is_needed = is_needed || self.comparisons.are_walking();
        let may_go = planted!(rests && !is_needed => may_swap_out(&self.settings, rests && !is_needed, &self.table, key));
        if !may_go {
            return false;
        }
        if let Some(session) = self.table.remove(key) {
            self.stubs.insert(session);
        }
        true
    }

    /// Orders the content, once.
    pub(super) fn fetch(&mut self, key: SessionKey, effects: &mut Effects) {
        if self.stubs.order(key) {
            effects.push(Effect::Fetch { key });
        }
    }

    /// Takes content that was saved: of a session that was swapped out here, or of one that nobody knows any
    /// more.
    pub(crate) fn restore(
        &mut self,
        key: SessionKey,
        content: &Snapshot<'_>,
        frame: &Bytes,
        now: Instant,
        effects: &mut Effects,
    ) -> Restored {
        if self.tombstones.contains(key) {
            return Restored::Ended;
        }
        let Some(saved) = Session::from_snapshot(content, frame, now) else { return Restored::Ended };
        if let Some(stub) = self.stubs.take(key) {
            // A walk may have passed the place at which it will be.
            self.peers.add_to_walks(key);
            let is_known = stub.is_content_of(&saved);
            self.put_back(saved, &stub, effects);
            if !is_known {
                // Another user of the store has saved a newer version, which the members do not have either.
                self.peers.add_to_backlogs(key);
                self.note_change(key, true, effects);
            }
            self.serve_waiting(key, stub, now, effects);
            Restored::Here
        } else if let Some(before) = self.table.get(key).map(Session::version) {
            self.merge_copy(key, &saved, effects);
            if self.table.get(key).map(Session::version) != Some(before) {
                // The store knew what this node did not, and perhaps no member does.
                self.peers.add_to_backlogs(key);
                self.note_change(key, true, effects);
                self.pump_all(now, effects);
            }
            Restored::Here
        } else {
            self.revive(saved, now, effects)
        }
    }

    /// The store does not have the content any more, or cannot read it. Whoever waits gets what the other
    /// members have (rule 11.4).
    pub(crate) fn lost(&mut self, key: SessionKey, now: Instant, effects: &mut Effects) {
        let Some(askers) = self.stubs.lose(key) else { return };
        if self.arrived(key).is_some() {
            self.replace_lost(key);
            self.peers.content_came(key);
            self.ask_again(key, askers, now, effects);
            return self.pump_all(now, effects);
        }
        let give_up = |(member, stream): (Incarnation, &mut super::peer_stream::PeerStream)| {
            (member, stream.backlog.give_up_content(key))
        };
        let waiting: Vec<(Incarnation, Vec<Ticket>)> = self.peers.iter_mut().map(give_up).collect();
        for (member, tickets) in waiting {
            tickets.into_iter().for_each(|ticket| self.settling.give_up(ticket, member, effects));
        }
        self.begin_question(key, false, askers, now, effects);
    }

    /// A copy came, or all members have answered: content that the store has lost is not waited for any more.
    /// A session that goes without a copy did not end (rule 7.24).
    pub(super) fn replace_lost(&mut self, key: SessionKey) {
        match self.stubs.take_lost(key) {
            Some(Lost::Replaced(copy)) => self.table.insert(*copy),
            Some(Lost::Gone(birth)) if !planted!(self.settings, LOST_COUNTS_AS_ENDED) => {
                self.behind.remove(&key);
                self.marks.dropped(birth);
            }
            _ => {}
        }
    }

    /// The session has ended: nobody gets the content any more.
    pub(super) fn abandon_content(&mut self, mut stub: Stub, effects: &mut Effects) -> Session {
        self.peers.content_came(stub.session().key);
        let askers = std::mem::take(&mut stub.askers);
        effects.extend(askers.into_iter().map(|question| Effect::Answered { question }));
        stub.into_session()
    }

    /// Keeps a copy that a member sent until the stored content is there (rule 11.3).
    pub(super) fn arrive(&mut self, copy: Session, effects: &mut Effects) {
        let key = copy.key;
        self.stubs.arrive(copy);
        self.replace_lost(key);
        self.note_change(key, false, effects);
        self.fetch(key, effects);
    }

    /// Changes of the session while its content was away count.
    fn put_back(&mut self, mut saved: Session, stub: &Stub, effects: &mut Effects) {
        let (key, known) = (saved.key, stub.session());
        saved.clock = saved.clock.max(known.clock);
        saved.touch = saved.touch.max(known.touch);
        saved.take_times(known);
        self.table.insert(saved);
        let arrived = stub.arrived().filter(|_| !planted!(self.settings, RESTORE_OVERWRITES));
        if let Some(arrived) = arrived {
            self.merge_copy(key, arrived, effects);
        }
    }

    /// The content is back: members and requests that waited for it get it.
    fn serve_waiting(&mut self, key: SessionKey, stub: Stub, now: Instant, effects: &mut Effects) {
        self.peers.content_came(key);
        for (from, ask) in &stub.asked_by {
            self.on_ask(*from, ask, now, effects);
        }
        self.ask_again(key, stub.askers, now, effects);
        self.pump_all(now, effects);
    }

    /// Requests go on: at once when the session may be opened, else when the members have answered.
    fn ask_again(&mut self, key: SessionKey, askers: Vec<QuestionId>, now: Instant, effects: &mut Effects) {
        if askers.is_empty() {
            return;
        }
        match self.table.get(key).map(|session| self.expiry.is_due(session, now)) {
            Some(false) => effects.extend(askers.into_iter().map(|question| Effect::Answered { question })),
            due => self.begin_question(key, due.is_some(), askers, now, effects),
        }
    }

    /// A session that only the store remembered: after all of its nodes were down, or from another cluster
    /// (rule 11.6).
    fn revive(&mut self, mut saved: Session, now: Instant, effects: &mut Effects) -> Restored {
        let (key, app) = (saved.key, saved.app);
        saved.leave_some_time(now);
        if self.ended_before(key, saved.birth(), now) {
            return Restored::Ended;
        }
        if self.lacks_room(saved.fields.footprint()) {
            return Restored::Full;
        }
        self.marks.came(saved.birth());
        self.table.insert(saved);
        self.notify_created(key, true, effects);
        effects.event(Event::Revived { key, app });
        self.peers.add_to_backlogs(key);
        self.pump_all(now, effects);
        Restored::Here
    }
}
