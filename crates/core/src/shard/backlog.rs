//! The sessions of which one member must get a copy or the end, instead of changes (rules 2.6 and 2.9).
//!
//! Sessions are in it by name, in the order of their keys; or all of them, while a walk goes over the whole
//! shard. Commits that wait for such a copy stay with its name. Must not know what is on the way to the
//! member.

use std::collections::{BTreeMap, BTreeSet};

use crate::{SessionKey, Ticket};

/// Sessions by name. Above it the whole shard is walked, and only those names stay for which commits wait:
/// requests in progress bound them.
const NAMES_MAX: usize = 4096;

/// Copies for one member that may wait for content from the store at once.
const FETCHING_MAX: usize = 64;

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

/// The sessions that wait to be sent to one member as copies.
#[derive(Debug, Default)]
pub(crate) struct CopyBacklog {
    /// Each session with the commits that wait for its copy.
    names: BTreeMap<SessionKey, Vec<Ticket>>,
    /// How many of them no commit waits for.
    unawaited: usize,
    /// Sessions whose content is being fetched from the store.
    fetching: BTreeMap<SessionKey, Vec<Ticket>>,
    /// Sessions whose content will be fetched when some that is being fetched has come.
    parked: BTreeMap<SessionKey, Vec<Ticket>>,
    /// Sessions that no frame can carry as they are, or for which the member had no room. They wait for
    /// nothing: a later commit tries a copy again.
    without_copy: BTreeSet<SessionKey>,
    walk: Option<Walk>,
    /// What the walk has passed is to be walked over once more.
    walks_again: bool,
    /// Bytes of changes that were given up for copies since the backlog was last empty.
    given_up: usize,
}

impl CopyBacklog {
    /// Nothing waits to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.walk.is_none() && self.names.is_empty() && self.fetching.is_empty() && self.parked.is_empty()
    }

    /// The member may need a copy of this session before any change. During a walk that is any session.
    pub(crate) fn needs_copy(&self, key: SessionKey) -> bool {
        self.walk.is_some() || self.names_copy(key)
    }

    /// The member must get a copy of this session before any change. `slot` is that of the session in the
    /// table: what a walk has passed there needs none (rule 2.9).
    pub(crate) fn needs_copy_at(&self, key: SessionKey, slot: impl FnOnce() -> Option<u32>) -> bool {
        let is_walked_over = self.walk.is_some_and(|walk| match walk {
            _ if self.walks_again => true,
            Walk::Sessions(next) => slot().is_none_or(|slot| slot >= next),
            Walk::Stubs(_) | Walk::Ends(_) => slot().is_none(),
        });
        is_walked_over || self.names_copy(key)
    }

    fn names_copy(&self, key: SessionKey) -> bool {
        self.names.contains_key(&key)
            || self.fetching.contains_key(&key)
            || self.parked.contains_key(&key)
            || self.without_copy.contains(&key)
    }

    /// Sessions by name.
    pub(crate) fn len(&self) -> usize {
        self.names.len() + self.fetching.len() + self.parked.len()
    }

    /// The sessions by name.
    pub(crate) fn keys(&self) -> impl Iterator<Item = SessionKey> {
        self.names.keys().chain(self.fetching.keys()).chain(self.parked.keys()).copied()
    }

    /// The member must get a copy or the end of this session.
    pub(crate) fn add(&mut self, key: SessionKey, waiters: impl IntoIterator<Item = Ticket>) {
        let mut waiters = waiters.into_iter().peekable();
        let (is_awaited, is_named) = (waiters.peek().is_some(), self.names.contains_key(&key));
        if !is_named
            && self.names.len() + self.parked.len()
                >= planted!(NAMES_MAX => limit("names in a backlog", NAMES_MAX, self.names.len() + self.parked.len()))
        {
            if self.unawaited > 0 || !is_awaited {
                self.give_up_names();
            }
            if !is_awaited {
                return;
            }
        }
        let named = self.names.entry(key).or_default();
        self.unawaited += usize::from(!is_named && !is_awaited);
        self.unawaited -= usize::from(is_named && is_awaited && named.is_empty());
        named.extend(waiters);
    }

    /// There are too many: a walk takes the place of those that no commit waits for.
    fn give_up_names(&mut self) {
        if self.unawaited > 0 {
            self.names.retain(|_, waiters| !waiters.is_empty());
            self.unawaited = 0;
        }
        self.add_all();
    }

    /// The member must get copies of all sessions, and all ends. A walk that is under way is not begun anew,
    /// or changes that go on would keep it from ever coming to its end: it is done once more.
    pub(crate) fn add_all(&mut self) {
        match self.walk {
            None | Some(Walk::Sessions(0) | Walk::Ends(_)) => self.walk = Some(Walk::Sessions(0)),
            Some(Walk::Sessions(_) | Walk::Stubs(_)) => self.walks_again = true,
        }
    }

    /// Walks over a part of the shard, unless a walk over all of it is under way.
    pub(crate) fn add_walk(&mut self, walk: Walk) {
        if !matches!(self.walk, Some(Walk::Sessions(_) | Walk::Stubs(_))) {
            self.walk = Some(walk);
        }
    }

    pub(crate) fn walk(&self) -> Option<Walk> {
        self.walk
    }

    /// The walk has come this far, or is over.
    pub(crate) fn walked(&mut self, next: Option<Walk>) {
        let again = || std::mem::take(&mut self.walks_again).then_some(Walk::Sessions(0));
        self.walk = next.or_else(again);
    }

    /// The copy is being sent: takes the commits that wait for it.
    pub(crate) fn take(&mut self, key: SessionKey) -> Vec<Ticket> {
        let named = self.names.remove(&key);
        self.unawaited -= usize::from(named.as_ref().is_some_and(Vec::is_empty));
        let mut waiters = named.unwrap_or_default();
        if !self.fetching.is_empty() || !self.parked.is_empty() {
            waiters.extend(self.parked.remove(&key).unwrap_or_default());
            if let Some(awaiting) = self.fetching.remove(&key) {
                waiters.extend(awaiting);
                self.unpark();
            }
        }
        self.without_copy.remove(&key);
        waiters
    }

    /// No frame can carry these sessions as they are, or the member has no room for them.
    pub(crate) fn add_without_copy(&mut self, keys: &[SessionKey]) {
        let room = NAMES_MAX.saturating_sub(self.without_copy.len());
        self.without_copy.extend(keys.iter().take(room));
    }

    /// The copy cannot be sent before its content is back from the store. False if so many wait for content
    /// that this one has to wait for them first: other copies are not held up (rule 2.19).
    pub(crate) fn await_content(&mut self, key: SessionKey, waiters: Vec<Ticket>) -> bool {
        let may_fetch = self.fetchable() > 0 || self.fetching.contains_key(&key);
        let awaiting = if may_fetch { &mut self.fetching } else { &mut self.parked };
        awaiting.entry(key).or_default().extend(waiters);
        may_fetch
    }

    /// The content is here, or the session has ended.
    pub(crate) fn content_came(&mut self, key: SessionKey) {
        let came = [self.fetching.remove(&key), self.parked.remove(&key)];
        came.into_iter().flatten().for_each(|waiters| self.add(key, waiters));
        self.unpark();
    }

    /// Content may be fetched for one more.
    fn unpark(&mut self) {
        if let Some((key, waiters)) = self.parked.pop_first() {
            self.add(key, waiters);
        }
    }

    /// The content will not come: takes the commits that waited for it.
    pub(crate) fn give_up_content(&mut self, key: SessionKey) -> Vec<Ticket> {
        let mut waiters = self.fetching.remove(&key).unwrap_or_default();
        waiters.extend(self.parked.remove(&key).unwrap_or_default());
        self.unpark();
        waiters
    }

    /// How many more copies may wait for content from the store.
    pub(crate) fn fetchable(&self) -> usize {
        planted!(FETCHING_MAX => limit("fetches", FETCHING_MAX, self.fetching.len()))
            .saturating_sub(self.fetching.len())
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
    fn a_walk_is_not_begun_anew_and_what_it_passed_gets_changes() {
        let mut backlog = CopyBacklog::default();
        backlog.add_all();
        backlog.walked(Some(Walk::Sessions(9)));
        assert!(!backlog.needs_copy_at(key(1), || Some(8)) && backlog.needs_copy_at(key(1), || Some(9)));
        (0..2 * NAMES_MAX as u32).for_each(|number| backlog.add(key(number), []));
        assert_eq!(backlog.walk(), Some(Walk::Sessions(9)), "it comes to its end");
        assert!(backlog.needs_copy_at(key(1), || Some(8)), "its name was given up after it was passed");
        backlog.walked(None);
        assert_eq!(backlog.walk(), Some(Walk::Sessions(0)), "and is done once more");
        while let Some(first) = backlog.first() {
            backlog.take(first);
        }
        backlog.walked(Some(Walk::Ends(None)));
        assert!(!backlog.needs_copy_at(key(1), || Some(8)), "its copy has been sent");
        backlog.walked(None);
        assert!(backlog.is_empty());
    }

    #[test]
    fn names_for_which_commits_wait_are_added_without_a_look_at_the_others() {
        let mut backlog = CopyBacklog::default();
        let many = 16 * NAMES_MAX as u32;
        (0..many).for_each(|number| backlog.add(key(number), [Ticket(1)]));
        assert_eq!((backlog.len(), backlog.walk()), (many as usize, None));
        backlog.add(key(many), []);
        assert_eq!((backlog.len(), backlog.walk()), (many as usize, Some(Walk::Sessions(0))));
    }

    #[test]
    fn what_waits_for_a_place_at_the_store_gets_one_when_it_is_free() {
        let mut backlog = CopyBacklog::default();
        let many = FETCHING_MAX as u32 + 5;
        let awaited = (0..many).filter(|number| backlog.await_content(key(*number), vec![Ticket(1)])).count();
        assert_eq!((awaited, backlog.fetchable(), backlog.len()), (FETCHING_MAX, 0, many as usize));
        backlog.content_came(key(0));
        assert_eq!(backlog.take(key(0)), [Ticket(1)]);
        let next = backlog.first().unwrap();
        let waiters = backlog.take(next);
        assert!(backlog.await_content(next, waiters), "one of those that waited");
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
        backlog.add_without_copy(&[key(1), key(2)]);
        assert!(backlog.needs_copy(key(1)) && backlog.is_empty(), "it waits for nothing");
        backlog.take(key(1));
        backlog.remove(&[key(2)]);
        assert!(!backlog.needs_copy(key(1)) && !backlog.needs_copy(key(2)));
        (0..=NAMES_MAX as u32).for_each(|number| backlog.add_without_copy(&[key(number)]));
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
