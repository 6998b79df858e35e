//! The members that must have the sessions of one shard.
//!
//! No epoch is used twice towards a member, also if it leaves and comes back (rule 2.5).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::shard::peer_stream::PeerStream;
use crate::{Incarnation, Instant, SessionKey};

/// The streams to all members.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// In the order of the incarnations. They are few, and each frame looks one of them up.
    streams: Vec<(Incarnation, PeerStream)>,
    last_epoch: u32,
}

impl Peers {
    pub(crate) fn contains(&self, member: Incarnation) -> bool {
        self.find(member).is_ok()
    }

    pub(crate) fn get(&self, member: Incarnation) -> Option<&PeerStream> {
        self.find(member).ok().map(|index| &self.streams[index].1)
    }

    pub(crate) fn get_mut(&mut self, member: Incarnation) -> Option<&mut PeerStream> {
        self.find(member).ok().map(|index| &mut self.streams[index].1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Incarnation, &PeerStream)> {
        self.streams.iter().map(|(member, stream)| (*member, stream))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Incarnation, &mut PeerStream)> {
        self.streams.iter_mut().map(|(member, stream)| (*member, stream))
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = Incarnation> {
        self.streams.iter().map(|(member, _)| *member)
    }

    /// A new member. If `gets_unconfirmed`, its backlog has the sessions of which another member may lack
    /// something: their changes are on the way, and were not sent to it (rule 5.2).
    pub(crate) fn add(&mut self, member: Incarnation, gets_unconfirmed: bool, now: Instant) {
        self.last_epoch += 1;
        let mut stream = PeerStream::new(self.last_epoch, now);
        if gets_unconfirmed {
            let unconfirmed = self.streams.iter().flat_map(|(_, other)| other.unconfirmed());
            unconfirmed.for_each(|key| stream.backlog.add(key, []));
        }
        match self.find(member) {
            Ok(index) => self.streams[index].1 = stream,
            Err(index) => self.streams.insert(index, (member, stream)),
        }
    }

    /// The member is out; false if it was none.
    pub(crate) fn remove(&mut self, member: Incarnation) -> bool {
        let Ok(index) = self.find(member) else { return false };
        let (_, stream) = self.streams.remove(index);
        self.last_epoch = self.last_epoch.max(stream.in_flight.epoch());
        true
    }

    /// Every member must get a copy or the end of this session.
    pub(crate) fn add_to_backlogs(&mut self, key: SessionKey) {
        self.streams.iter_mut().for_each(|(_, stream)| stream.backlog.add(key, []));
    }

    /// As [`add_to_backlogs`](Self::add_to_backlogs), for the members to which something of it is on the way.
    pub(crate) fn add_behind_frames(&mut self, key: SessionKey) {
        let sending = self.streams.iter_mut().filter(|(_, stream)| stream.in_flight.carries(key));
        sending.for_each(|(_, stream)| stream.backlog.add(key, []));
    }

    /// Every member must get copies of all sessions.
    pub(crate) fn add_all_to_backlogs(&mut self) {
        self.streams.iter_mut().for_each(|(_, stream)| stream.backlog.add_all());
    }

    /// The content of this session is here, or will not be needed: it has ended.
    pub(crate) fn content_came(&mut self, key: SessionKey) {
        self.streams.iter_mut().for_each(|(_, stream)| stream.backlog.content_came(key));
    }

    /// Some member may lack something of this session.
    pub(crate) fn lack(&self, key: SessionKey) -> bool {
        self.streams.iter().any(|(_, stream)| stream.lacks(key))
    }

    /// Takes out of `keys` those of which some member may lack something.
    pub(crate) fn remove_lacking(&self, keys: &mut BTreeSet<SessionKey>) {
        for (_, stream) in &self.streams {
            if keys.is_empty() {
                return;
            }
            stream.in_flight.keys().for_each(|key| {
                keys.remove(&key);
            });
            keys.retain(|key| !stream.backlog.needs_copy(*key));
        }
    }

    /// As [`add_to_backlogs`](Self::add_to_backlogs), for the members for which everything is walked over:
    /// the walk may have passed the place at which the session is now.
    pub(crate) fn add_to_walks(&mut self, key: SessionKey) {
        let walking = self.streams.iter_mut().filter(|(_, stream)| stream.backlog.walk().is_some());
        walking.for_each(|(_, stream)| stream.backlog.add(key, []));
    }

    /// The age of the oldest change that some member has not confirmed.
    pub(crate) fn unconfirmed_for(&self, now: Instant) -> Duration {
        let oldest = self.streams.iter().filter_map(|(_, stream)| stream.in_flight.oldest()).min();
        oldest.map_or(Duration::ZERO, |oldest| now.since(oldest))
    }

    fn find(&self, member: Incarnation) -> Result<usize, usize> {
        self.streams.binary_search_by_key(&member, |(member, _)| *member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::in_flight::Carried;

    const KEYS: [SessionKey; 2] = [SessionKey([1; 16]), SessionKey([2; 16])];
    const MEMBERS: [Incarnation; 2] = [Incarnation(2), Incarnation(3)];

    #[test]
    fn an_epoch_is_never_used_twice() {
        let (mut peers, now) = (Peers::default(), Instant::ORIGIN);
        peers.add(MEMBERS[0], true, now);
        (0..5).for_each(|_| peers.get_mut(MEMBERS[0]).unwrap().restart());
        assert!(peers.remove(MEMBERS[0]) && !peers.remove(MEMBERS[0]));
        peers.add(MEMBERS[1], true, now);
        peers.add(MEMBERS[0], true, now);
        let epochs = MEMBERS.map(|member| peers.get(member).unwrap().in_flight.epoch());
        assert_eq!(epochs, [8, 7]);
    }

    #[test]
    fn a_new_member_gets_what_is_on_the_way_to_others() {
        let (mut peers, now) = (Peers::default(), Instant::ORIGIN);
        peers.add(MEMBERS[0], true, now);
        let stream = peers.get_mut(MEMBERS[0]).unwrap();
        stream.push(0, Carried::One(KEYS[0]), 1, Vec::new(), now);
        stream.backlog.add(KEYS[1], []);
        peers.add(MEMBERS[1], true, now);
        assert_eq!(peers.get(MEMBERS[1]).unwrap().backlog.keys().collect::<Vec<_>>(), KEYS);
        peers.add_behind_frames(KEYS[0]);
        assert!(peers.get(MEMBERS[0]).unwrap().backlog.needs_copy(KEYS[0]) && peers.lack(KEYS[1]));
    }
}
