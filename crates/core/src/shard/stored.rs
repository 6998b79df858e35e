//! Sessions whose content is not in memory but in a store: swapped out by the driver, and brought back when needed.
//!
//! What stays is a [`Stub`]: enough to know that the session lives, to compare it with other members and to end it
//! when nobody uses it. Whoever needs the content (a request, a member that is backlog a copy, a member that asks) makes
//! the shard order it by `Effect::Fetch`; it comes with [`Shard::restore`], or [`Shard::lost`] says that it cannot.
//! A session has either a copy in the table or a stub. What members send of it meanwhile waits in the stub.
//!
//! Must not know: what a store is, where it is, when a session should be swapped out.

use bytes::Bytes;

use crate::session::Session;
use crate::shard::Shard;
use crate::wire::{Ask, Snapshot};
use crate::{Effect, Effects, Event, Incarnation, Instant, QuestionId, SessionKey, Ticket, Version};

/// Copies for one member that may wait for their content at once.
pub(super) const FETCHING_MAX: usize = 64;

/// What is left in memory of a session that is in the store.
#[derive(Debug)]
pub(crate) struct Stub {
    /// The session without its content; `clock`, uses and times are kept up to date.
    pub(crate) skeleton: Session,
    /// The fingerprint of the content, without `clock`.
    content: u64,
    /// The content has been ordered.
    fetching: bool,
    /// The store cannot give it; the members are being asked.
    lost: bool,
    /// A copy that came from a member meanwhile; the stored one may have what it lacks.
    arrived: Option<Box<Session>>,
    /// Requests that wait for it.
    askers: Vec<QuestionId>,
    /// Members that asked for it.
    asked_by: Vec<(Incarnation, Ask)>,
}

impl Stub {
    fn of(session: Session) -> Self {
        let content = session.fingerprint() ^ session.clock;
        Self {
            skeleton: session.skeleton(),
            content,
            fetching: false,
            lost: false,
            arrived: None,
            askers: Vec::new(),
            asked_by: Vec::new(),
        }
    }

    fn arrived_bytes(&self) -> usize {
        self.arrived.as_ref().map_or(0, |copy| copy.footprint())
    }

    /// A request waits for the content.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.askers.is_empty()
    }

    /// Equal on two nodes when and only when the copies are, be they in memory or not.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.content ^ self.skeleton.clock
    }
}

/// What became of content that came from the store.
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
    /// Drops the content of a session that is stored in exactly this version. False while it is used, or some
    /// member may not have it yet, or it has changed since.
    pub(crate) fn swap_out(&mut self, key: SessionKey, version: Version) -> bool {
        let rests =
            self.table.get(key).is_some_and(|session| session.open == 0 && session.version() == version);
        let wanted = self.unsettled.contains_key(&key)
            || self.asks.contains_key(&key)
            || self
                .streams
                .values()
                .any(|stream| stream.needs_copy(key) || stream.unconfirmed().any(|other| other == key));
        if (!rests || wanted) && !(planted!(self.settings, SWAP_OUT_IN_USE) && self.table.contains(key)) {
            return false;
        }
        if let Some(session) = self.table.remove(key) {
            self.stubs.insert(key, Stub::of(session));
        }
        true
    }

    /// A request needs the content: it is answered as if members had been asked.
    pub(super) fn fetch_for_request(
        &mut self,
        key: SessionKey,
        question: QuestionId,
        now: Instant,
        effects: &mut Effects,
    ) {
        match self.stubs.get_mut(&key) {
            Some(stub) if !stub.lost => stub.askers.push(question),
            _ => return self.ask(key, false, question, now, effects),
        }
        self.fetch(key, effects);
    }

    /// A member asked for a session whose content is not here; it repeats the question until it is answered.
    pub(super) fn fetch_for_member(&mut self, from: Incarnation, ask: &Ask, effects: &mut Effects) {
        let key = SessionKey(ask.key);
        if let Some(stub) = self.stubs.get_mut(&key) {
            stub.asked_by.retain(|(incarnation, _)| *incarnation != from);
            stub.asked_by.push((from, *ask));
        }
        self.fetch(key, effects);
    }

    /// Orders the content, once.
    pub(super) fn fetch(&mut self, key: SessionKey, effects: &mut Effects) {
        let Some(stub) = self.stubs.get_mut(&key) else { return };
        if !stub.lost && !std::mem::replace(&mut stub.fetching, true) {
            effects.push(Effect::Fetch { key });
        }
    }

    /// Takes content that was saved: of a session that was swapped out here, or of one that nobody knows any more.
    pub(crate) fn restore(
        &mut self,
        key: SessionKey,
        content: &Snapshot<'_>,
        frame: &Bytes,
        now: Instant,
        effects: &mut Effects,
    ) -> Restored {
        if self.tombstones.contains_key(&key) {
            return Restored::Ended;
        }
        let Some(saved) = Session::from_snapshot(content, frame, now) else { return Restored::Ended };
        match self.take_stub(key) {
            Some(stub) => {
                let is_known = saved.fingerprint() ^ saved.clock == stub.content;
                self.put_back(saved, &stub, effects);
                if !is_known {
                    // Another user of the store has saved a newer version, which the members do not have either.
                    self.streams.values_mut().for_each(|stream| stream.add_to_backlog(key, []));
                    self.note_change(key, true, effects);
                }
                self.serve_those_who_waited(key, stub, now, effects);
                Restored::Here
            }
            None if self.table.contains(key) => {
                let before = self.table.get(key).map(Session::version);
                self.merge_copy(key, &saved, effects);
                if self.table.get(key).map(Session::version) != before {
                    // The store knew what this node did not, and perhaps no member does.
                    self.streams.values_mut().for_each(|stream| stream.add_to_backlog(key, []));
                    self.note_change(key, true, effects);
                    self.pump_all(now, effects);
                }
                Restored::Here
            }
            None => self.revive(saved, now, effects),
        }
    }

    /// The store does not have it any more, or cannot read it. Whoever waits gets what the other members have.
    pub(crate) fn lost(&mut self, key: SessionKey, now: Instant, effects: &mut Effects) {
        let Some(stub) = self.stubs.get_mut(&key) else { return };
        stub.lost = true;
        stub.asked_by.clear();
        let askers = std::mem::take(&mut stub.askers);
        if stub.arrived.is_some() {
            self.forget_lost(key);
            self.streams.values_mut().for_each(|stream| stream.content_came(key));
            self.ask_again(key, askers, now, effects);
            return self.pump_all(now, effects);
        }
        let waiting: Vec<(Incarnation, Vec<Ticket>)> = self
            .streams
            .iter_mut()
            .map(|(incarnation, stream)| (*incarnation, stream.give_up_content(key)))
            .collect();
        for (incarnation, tickets) in waiting {
            tickets.into_iter().for_each(|ticket| self.no_longer_awaits(ticket, incarnation, effects));
        }
        self.begin(key, false, askers, now, effects);
    }

    /// A copy came, or all members have answered: what cannot be had from the store is not waited for any more.
    pub(super) fn forget_lost(&mut self, key: SessionKey) {
        if self.stubs.get(&key).is_some_and(|stub| stub.lost)
            && let Some(Stub { arrived: Some(copy), .. }) = self.take_stub(key)
        {
            self.table.insert(*copy);
        }
    }

    /// It ended: nobody gets the content any more.
    pub(super) fn give_up(&mut self, stub: Stub, effects: &mut Effects) -> Session {
        self.streams.values_mut().for_each(|stream| stream.content_came(stub.skeleton.key));
        effects.extend(stub.askers.into_iter().map(|question| Effect::Answered { question }));
        stub.skeleton
    }

    /// What happened to the session while its content was away counts.
    fn put_back(&mut self, mut saved: Session, stub: &Stub, effects: &mut Effects) {
        let (key, skeleton) = (saved.key, &stub.skeleton);
        saved.clock = saved.clock.max(skeleton.clock);
        saved.touch = saved.touch.max(skeleton.touch);
        saved.take_times(skeleton);
        self.table.insert(saved);
        if let Some(arrived) = &stub.arrived
            && !planted!(self.settings, RESTORE_OVERWRITES)
        {
            self.merge_copy(key, arrived, effects);
        }
    }

    /// Keeps the copy that a member sent until the stored one is there.
    pub(super) fn arrive(&mut self, copy: Session, effects: &mut Effects) {
        let key = copy.key;
        let Some(stub) = self.stubs.get_mut(&key) else { return };
        let before = stub.arrived_bytes();
        match &mut stub.arrived {
            Some(earlier) => earlier.merge(&copy),
            None => stub.arrived = Some(Box::new(copy)),
        }
        self.arrived_bytes = self.arrived_bytes + stub.arrived_bytes() - before;
        self.forget_lost(key);
        self.note_change(key, false, effects);
        self.fetch(key, effects);
    }

    fn serve_those_who_waited(&mut self, key: SessionKey, stub: Stub, now: Instant, effects: &mut Effects) {
        self.streams.values_mut().for_each(|stream| stream.content_came(key));
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
        match self.table.get(key).map(|session| self.is_due(session, now)) {
            Some(false) => effects.extend(askers.into_iter().map(|question| Effect::Answered { question })),
            due => self.begin(key, due.is_some(), askers, now, effects),
        }
    }

    /// A session that only the store remembered: after all of its nodes were down, or from another cluster.
    fn revive(&mut self, mut saved: Session, now: Instant, effects: &mut Effects) -> Restored {
        let (key, app) = (saved.key, saved.app);
        saved.leave_some_time(now);
        if self.marks.covers(saved.birth()) {
            // It was here and is not: it ended, and its end has been forgotten since.
            self.tombstones.insert(key, crate::tombstone::Tombstone::unknown(saved.birth(), now));
            return Restored::Ended;
        }
        if self.is_full(saved.fields.weight()) {
            return Restored::Full;
        }
        self.marks.saw(saved.birth());
        self.table.insert(saved);
        self.notify_created(key, true, effects);
        effects.event(Event::Revived { key, app });
        self.streams.values_mut().for_each(|stream| stream.add_to_backlog(key, []));
        self.pump_all(now, effects);
        Restored::Here
    }

    /// The session as it is known here, in memory or not; without its fields if they are only in the store.
    pub(crate) fn known(&self, key: SessionKey) -> Option<&Session> {
        self.table.get(key).or_else(|| self.stubs.get(&key).map(|stub| &stub.skeleton))
    }

    /// Notes a use, or another thing that does not change the content.
    pub(super) fn touch(&mut self, key: SessionKey, mut change: impl FnMut(&mut Session)) {
        if let Some(stub) = self.stubs.get_mut(&key) {
            change(&mut stub.skeleton);
        }
        self.table.touch(key, change);
    }

    pub(crate) fn is_swapped_out(&self, key: SessionKey) -> bool {
        self.stubs.contains_key(&key)
    }

    /// Nobody can get from here what is not here.
    pub(super) fn is_lost(&self, key: SessionKey) -> bool {
        self.stubs.get(&key).is_some_and(|stub| stub.lost)
    }

    /// The copy that came from a member while the own content is in the store.
    pub(crate) fn arrived(&self, key: SessionKey) -> Option<&Session> {
        self.stubs.get(&key)?.arrived.as_deref()
    }

    pub(super) fn take_stub(&mut self, key: SessionKey) -> Option<Stub> {
        let stub = self.stubs.remove(&key)?;
        self.arrived_bytes -= stub.arrived_bytes();
        Some(stub)
    }

    /// Bytes of everything that is here of sessions, roughly: copies, stubs, and what waits in these.
    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes() + self.stubs.len() * size_of::<(SessionKey, Stub)>() + self.arrived_bytes
    }

    /// Sessions whose content is only in the store.
    pub(crate) fn swapped_out(&self) -> usize {
        self.stubs.len()
    }

    /// All sessions that live here, in memory or not.
    pub(crate) fn held(&self) -> usize {
        self.table.len() + self.stubs.len()
    }
}
