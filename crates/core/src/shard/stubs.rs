//! The sessions of one shard whose content is in a store (rules 11.1 to 11.4).
//!
//! A [`Stub`] stands for such a session: it is enough to know that the session lives, to compare it with
//! other members and to end it when nobody uses it. A copy that a member sends meanwhile waits in the stub
//! for the stored content, which may have what the copy lacks. The content is ordered from the store once.
//! Must not know what a store is.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::fingerprint;
use crate::marks::Birth;
use crate::session::Session;
use crate::wire::Ask;
use crate::{Incarnation, QuestionId, SessionKey};

/// The rest in memory of a session whose content is in a store.
#[derive(Debug)]
pub(crate) struct Stub {
    /// The session without its content. Its clock, uses and times are kept up to date.
    session: Session,
    /// The fingerprint of the content, without the clock.
    content: u64,
    /// The content has been ordered.
    fetching: bool,
    /// The store cannot give it; the members are being asked.
    lost: bool,
    /// A copy that came from a member meanwhile.
    arrived: Option<Box<Session>>,
    /// Requests that wait for the content.
    pub(crate) askers: Vec<QuestionId>,
    /// Members that asked for it.
    pub(crate) asked_by: Vec<(Incarnation, Ask)>,
}

impl Stub {
    fn of(session: Session) -> Self {
        let content = session.content_fingerprint();
        Self {
            session: session.without_content(),
            content,
            fetching: false,
            lost: false,
            arrived: None,
            askers: Vec::new(),
            asked_by: Vec::new(),
        }
    }

    /// The session without its content.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn into_session(self) -> Session {
        self.session
    }

    /// The copy that came from a member.
    pub(crate) fn arrived(&self) -> Option<&Session> {
        self.arrived.as_deref()
    }

    /// Whether saved content is the one that was swapped out here.
    pub(crate) fn is_content_of(&self, saved: &Session) -> bool {
        saved.content_fingerprint() == self.content
    }

    /// Equal on two nodes when and only when the copies are, in memory or not.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.content.wrapping_add(fingerprint::of_clock(self.session.clock))
    }

    fn arrived_bytes(&self) -> usize {
        self.arrived.as_ref().map_or(0, |copy| copy.footprint())
    }
}

/// What becomes of a session whose content is lost.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The copy that a member sent takes its place.
    Replaced(Box<Session>),
    /// No member had a copy.
    Gone(Birth),
}

/// The stubs of one shard, by session.
#[derive(Debug, Default)]
pub(crate) struct Stubs {
    stubs: BTreeMap<SessionKey, Stub>,
    /// Bytes of the copies that wait in them.
    arrived_bytes: usize,
    /// The sum of their fingerprints.
    fingerprint: u64,
}

impl Stubs {
    pub(crate) fn len(&self) -> usize {
        self.stubs.len()
    }

    /// Bytes in memory, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.stubs.len() * size_of::<(SessionKey, Stub)>() + self.arrived_bytes
    }

    pub(crate) fn contains(&self, key: SessionKey) -> bool {
        self.stubs.contains_key(&key)
    }

    pub(crate) fn get(&self, key: SessionKey) -> Option<&Stub> {
        self.stubs.get(&key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionKey, &Stub)> {
        self.stubs.iter().map(|(key, stub)| (*key, stub))
    }

    /// The next ones in the order of their keys.
    pub(crate) fn after(&self, key: Option<SessionKey>) -> impl Iterator<Item = (SessionKey, &Stub)> {
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.stubs.range((from, Bound::Unbounded)).map(|(key, stub)| (*key, stub))
    }

    /// The sum of the fingerprints of all of them. Rule 6.9.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The content of a session was swapped out.
    pub(crate) fn insert(&mut self, session: Session) {
        let (key, stub) = (session.key, Stub::of(session));
        self.fingerprint = self.fingerprint.wrapping_add(stub.fingerprint());
        self.stubs.insert(key, stub);
    }

    /// The content is here, or the session has ended.
    pub(crate) fn take(&mut self, key: SessionKey) -> Option<Stub> {
        let stub = self.stubs.remove(&key)?;
        self.arrived_bytes -= stub.arrived_bytes();
        self.fingerprint = self.fingerprint.wrapping_sub(stub.fingerprint());
        Some(stub)
    }

    /// Changes what is kept of a session: its uses and times.
    pub(crate) fn touch(&mut self, key: SessionKey, change: impl FnOnce(&mut Session)) {
        if let Some(stub) = self.stubs.get_mut(&key) {
            let before = stub.fingerprint();
            change(&mut stub.session);
            self.fingerprint = self.fingerprint.wrapping_add(stub.fingerprint().wrapping_sub(before));
        }
    }

    /// As [`touch`](Self::touch), for every session.
    pub(crate) fn touch_all(&mut self, change: impl Fn(&mut Session)) {
        for stub in self.stubs.values_mut() {
            let before = stub.fingerprint();
            change(&mut stub.session);
            self.fingerprint = self.fingerprint.wrapping_add(stub.fingerprint().wrapping_sub(before));
        }
    }

    /// Whether the content has to be ordered from the store now: it is needed, and was not ordered yet.
    pub(crate) fn order(&mut self, key: SessionKey) -> bool {
        let stub = self.stubs.get_mut(&key).filter(|stub| !stub.lost);
        stub.is_some_and(|stub| !std::mem::replace(&mut stub.fetching, true))
    }

    /// A request waits for the content; false if the store cannot give it.
    pub(crate) fn await_content(&mut self, key: SessionKey, asker: QuestionId) -> bool {
        let stub = self.stubs.get_mut(&key).filter(|stub| !stub.lost);
        stub.map(|stub| stub.askers.push(asker)).is_some()
    }

    /// A member asked for the session. It repeats its question until it is answered.
    pub(crate) fn asked(&mut self, from: Incarnation, ask: &Ask) {
        if let Some(stub) = self.stubs.get_mut(&SessionKey(ask.key)) {
            stub.asked_by.retain(|(member, _)| *member != from);
            stub.asked_by.push((from, *ask));
        }
    }

    /// A request waits for the content.
    pub(crate) fn is_awaited(&self, key: SessionKey) -> bool {
        self.stubs.get(&key).is_some_and(|stub| !stub.askers.is_empty())
    }

    /// The store cannot give the content.
    pub(crate) fn is_lost(&self, key: SessionKey) -> bool {
        self.stubs.get(&key).is_some_and(|stub| stub.lost)
    }

    /// The store cannot give the content, and the members are to be asked: gives the requests that waited for
    /// it.
    pub(crate) fn lose(&mut self, key: SessionKey) -> Option<Vec<QuestionId>> {
        let stub = self.stubs.get_mut(&key)?;
        stub.lost = true;
        stub.asked_by.clear();
        Some(std::mem::take(&mut stub.askers))
    }

    /// Keeps the copy that a member sent until the stored content is there.
    pub(crate) fn arrive(&mut self, copy: Session) {
        let Some(stub) = self.stubs.get_mut(&copy.key) else { return };
        let before = stub.arrived_bytes();
        match &mut stub.arrived {
            Some(earlier) => earlier.merge(&copy),
            None => stub.arrived = Some(Box::new(copy)),
        }
        self.arrived_bytes = self.arrived_bytes + stub.arrived_bytes() - before;
    }

    /// Takes a session whose content is lost, if it is.
    pub(crate) fn take_lost(&mut self, key: SessionKey) -> Option<Lost> {
        if !self.is_lost(key) {
            return None;
        }
        let Stub { session, arrived, .. } = self.take(key)?;
        Some(arrived.map_or(Lost::Gone(session.birth()), Lost::Replaced))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AppId, Instant, Timestamp, Value};

    const KEY: SessionKey = SessionKey([1; 16]);

    fn session(counter: u64) -> Session {
        let mut session = Session::new(KEY, AppId(1), Birth::default(), Instant::ORIGIN);
        session.clock = counter;
        session.fields.merge("a", Timestamp::new(counter, Incarnation(1)), Some(&Value::raw("x")));
        session
    }

    #[test]
    fn a_stub_compares_as_its_session_and_knows_its_content() {
        let (mut stubs, session) = (Stubs::default(), session(7));
        stubs.insert(session.clone());
        let stub = stubs.get(KEY).unwrap();
        assert_eq!(stub.fingerprint(), session.fingerprint());
        assert_eq!(stub.session().fields.weight(), 0, "the content is away");
        assert!(stub.is_content_of(&session) && !stub.is_content_of(&self::session(8)));
        stubs.touch(KEY, |session| session.clock += 1);
        let mut later = session;
        later.clock += 1;
        assert_eq!(stubs.get(KEY).unwrap().fingerprint(), later.fingerprint());
    }

    #[test]
    fn content_is_ordered_once_and_not_when_it_is_lost() {
        let mut stubs = Stubs::default();
        assert!(!stubs.order(KEY), "not swapped out");
        stubs.insert(session(7));
        assert!(stubs.order(KEY) && !stubs.order(KEY));
        assert!(stubs.await_content(KEY, QuestionId(1)) && stubs.is_awaited(KEY));
        assert_eq!(stubs.lose(KEY), Some(vec![QuestionId(1)]));
        assert!(!stubs.order(KEY) && !stubs.await_content(KEY, QuestionId(2)) && !stubs.is_awaited(KEY));
    }

    #[test]
    fn bytes_of_copies_that_arrive_are_counted_until_their_stub_goes() {
        let mut stubs = Stubs::default();
        stubs.insert(session(7));
        let empty = stubs.bytes();
        stubs.arrive(session(8));
        stubs.arrive(session(9));
        assert_eq!(stubs.bytes(), empty + session(9).footprint());
        assert!(stubs.take_lost(KEY).is_none() && stubs.contains(KEY), "the store may still give it");
        stubs.lose(KEY);
        let Some(Lost::Replaced(copy)) = stubs.take_lost(KEY) else { panic!("a copy arrived") };
        assert_eq!(copy.fingerprint(), session(9).fingerprint());
        assert_eq!((stubs.bytes(), stubs.len()), (0, 0));
    }
}
