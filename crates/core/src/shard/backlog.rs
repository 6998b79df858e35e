//! The sessions of which one member must get a copy or the end, instead of changes (rules 2.6 and 2.9).
//!
//! Sessions are in it by name, in the order of their keys; or all of them, while a walk goes over the whole shard. Commits
//! that wait for such a copy stay with its name. Must not know what is on the way to the member.

use std::collections::{BTreeMap, BTreeSet};

use crate::{SessionKey, Ticket};

/// Sessions by name. Above it the whole shard is walked, and only those names stay for which commits wait: requests in
/// progress bound them.
const NAMES_MAX: usize = 4096;

/// Copies for one member that may wait for content from the store at once.
pub(crate) const FETCHING_MAX: usize = 64;

/// How far a walk over everything has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// The next slot of the table.
    Sessions(u32),
    /// The last session whose content was ordered from the store.
    Stubs(Option<SessionKey>),
    /// The last end that was sent.
    Ends(Option<SessionKey>),
}

/// What waits to be sent to one member as copies.
#[derive(Debug, Default)]
pub(crate) struct CopyBacklog {
    /// Each session with the commits that wait for its copy.
    names: BTreeMap<SessionKey, Vec<Ticket>>,
    /// Sessions whose content is being fetched from the store.
    fetching: BTreeMap<SessionKey, Vec<Ticket>>,
    /// Sessions that no frame can carry as they are. They wait for nothing: a later commit tries a copy again.
    too_long: BTreeSet<SessionKey>,
    walk: Option<Walk>,
    /// Bytes of changes that were given up for copies since the backlog was last empty.
    given_up: usize,
}

impl CopyBacklog {
    /// Nothing waits to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.walk.is_none() && self.names.is_empty() && self.fetching.is_empty()
    }

    /// The member must get a copy of this session before any change.
    pub(crate) fn needs_copy(&self, key: SessionKey) -> bool {
        self.walk.is_some()
            || self.names.contains_key(&key)
            || self.fetching.contains_key(&key)
            || self.too_long.contains(&key)
    }

    /// Sessions by name.
    pub(crate) fn len(&self) -> usize {
        self.names.len() + self.fetching.len()
    }

    /// The sessions by name.
    pub(crate) fn keys(&self) -> impl Iterator<Item = SessionKey> {
        self.names.keys().chain(self.fetching.keys()).copied()
    }

    /// The member must get a copy or the end of this session.
    pub(crate) fn add(&mut self, key: SessionKey, waiters: impl IntoIterator<Item = Ticket>) {
        self.names.entry(key).or_default().extend(waiters);
        if self.names.len() > planted!(NAMES_MAX => limit("names in a backlog", NAMES_MAX, self.names.len()))
        {
            self.names.retain(|_, waiters| !waiters.is_empty());
            self.add_all();
        }
    }

    /// The member must get copies of all sessions, and all ends.
    pub(crate) fn add_all(&mut self) {
        self.walk = Some(Walk::Sessions(0));
    }

    /// Walks over a part of the shard, unless a walk over all of it is under way.
    pub(crate) fn add_walk(&mut self, walk: Walk) {
        if !matches!(self.walk, Some(Walk::Sessions(_))) {
            self.walk = Some(walk);
        }
    }

    pub(crate) fn walk(&self) -> Option<Walk> {
        self.walk
    }

    /// The walk has come this far, or is over.
    pub(crate) fn walked(&mut self, next: Option<Walk>) {
        self.walk = next;
    }

    /// The copy is being sent: takes the commits that wait for it.
    pub(crate) fn take(&mut self, key: SessionKey) -> Vec<Ticket> {
        let mut waiters = self.names.remove(&key).unwrap_or_default();
        waiters.extend(self.fetching.remove(&key).unwrap_or_default());
        self.too_long.remove(&key);
        waiters
    }

    /// No frame can carry these sessions as they are.
    pub(crate) fn add_too_long(&mut self, keys: &[SessionKey]) {
        let room = NAMES_MAX.saturating_sub(self.too_long.len());
        self.too_long.extend(keys.iter().take(room));
    }

    /// The copy cannot be sent before its content is back from the store.
    pub(crate) fn await_content(&mut self, key: SessionKey, waiters: Vec<Ticket>) {
        self.fetching.entry(key).or_default().extend(waiters);
    }

    /// The content is here, or the session has ended.
    pub(crate) fn content_came(&mut self, key: SessionKey) {
        if let Some(waiters) = self.fetching.remove(&key) {
            self.add(key, waiters);
        }
    }

    /// The content will not come: takes the commits that waited for it.
    pub(crate) fn give_up_content(&mut self, key: SessionKey) -> Vec<Ticket> {
        self.fetching.remove(&key).unwrap_or_default()
    }

    /// Another copy may wait for content from the store.
    pub(crate) fn may_fetch(&self) -> bool {
        self.fetching.len() < planted!(FETCHING_MAX => limit("fetches", FETCHING_MAX, self.fetching.len()))
    }

    /// The first session by name.
    pub(crate) fn first(&self) -> Option<SessionKey> {
        self.names.keys().next().copied()
    }

    /// The first sessions by name, up to one for which a commit waits.
    pub(crate) fn first_without_waiters(&self) -> impl Iterator<Item = SessionKey> {
        let unawaited = self.names.iter().take_while(|(_, waiters)| waiters.is_empty());
        unawaited.map(|(key, _)| *key).take_while(|key| !self.fetching.contains_key(key))
    }

    /// These were sent, and no commit waited for them.
    pub(crate) fn remove(&mut self, keys: &[SessionKey]) {
        keys.iter().for_each(|key| drop(self.take(*key)));
    }

    /// A change of this size is given up: a copy goes in its place.
    pub(crate) fn give_up_change(&mut self, bytes: usize) {
        self.given_up = self.bytes().saturating_add(bytes);
    }

    /// Bytes of the changes in whose place copies go, roughly.
    pub(crate) fn bytes(&self) -> usize {
        if self.is_empty() { 0 } else { self.given_up }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> SessionKey {
        SessionKey(u128::from(number).to_le_bytes())
    }

    #[test]
    fn too_many_names_become_a_walk_that_loses_no_waiter() {
        let mut backlog = CopyBacklog::default();
        backlog.add(key(7), [Ticket(1)]);
        (0..=NAMES_MAX as u32).for_each(|number| backlog.add(key(number), []));
        assert_eq!((backlog.walk(), backlog.len()), (Some(Walk::Sessions(0)), 1));
        assert!(backlog.needs_copy(key(99_999)), "a walk is over everything");
        backlog.walked(None);
        assert!(backlog.needs_copy(key(7)) && !backlog.needs_copy(key(8)));
        assert_eq!(backlog.take(key(7)), [Ticket(1)]);
        assert!(backlog.is_empty());
    }

    #[test]
    fn a_walk_over_everything_is_not_cut_short() {
        let mut backlog = CopyBacklog::default();
        backlog.add_walk(Walk::Ends(None));
        backlog.add_walk(Walk::Sessions(0));
        backlog.walked(Some(Walk::Sessions(9)));
        backlog.add_walk(Walk::Ends(None));
        assert_eq!(backlog.walk(), Some(Walk::Sessions(9)));
    }

    #[test]
    fn waiters_follow_a_copy_to_the_store_and_back() {
        let mut backlog = CopyBacklog::default();
        backlog.await_content(key(1), vec![Ticket(1)]);
        assert!(backlog.needs_copy(key(1)) && backlog.first().is_none(), "not to be sent yet");
        backlog.content_came(key(1));
        assert_eq!((backlog.first(), backlog.take(key(1))), (Some(key(1)), vec![Ticket(1)]));
        backlog.content_came(key(1));
        assert!(backlog.is_empty(), "nobody waited for it any more");
    }

    #[test]
    fn a_session_that_is_too_long_needs_a_copy_until_one_is_sent() {
        let mut backlog = CopyBacklog::default();
        backlog.add_too_long(&[key(1), key(2)]);
        assert!(backlog.needs_copy(key(1)) && backlog.is_empty(), "it waits for nothing");
        backlog.take(key(1));
        backlog.remove(&[key(2)]);
        assert!(!backlog.needs_copy(key(1)) && !backlog.needs_copy(key(2)));
        (0..=NAMES_MAX as u32).for_each(|number| backlog.add_too_long(&[key(number)]));
        assert!(!backlog.needs_copy(key(NAMES_MAX as u32)), "they are bounded");
    }

    #[test]
    fn only_copies_without_waiters_go_together() {
        let mut backlog = CopyBacklog::default();
        (1..=4).for_each(|number| backlog.add(key(number), (number == 3).then_some(Ticket(1))));
        assert_eq!(backlog.first_without_waiters().collect::<Vec<_>>(), [key(1), key(2)]);
    }

    #[test]
    fn bytes_given_up_are_forgotten_once_nothing_waits() {
        let mut backlog = CopyBacklog::default();
        backlog.give_up_change(10);
        assert_eq!(backlog.bytes(), 0, "before its name is in the backlog");
        backlog.add(key(1), []);
        backlog.give_up_change(5);
        assert_eq!(backlog.bytes(), 15);
        backlog.take(key(1));
        assert_eq!(backlog.bytes(), 0);
        backlog.give_up_change(3);
        backlog.add(key(2), []);
        assert_eq!(backlog.bytes(), 3);
    }
}
