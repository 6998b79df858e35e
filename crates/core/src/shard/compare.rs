//! Two members compare what they hold of one shard, and each gets what it lacks (section 6 of PROTOCOL.md).
//!
//! That is the state transfer, the repair after a partition, and what follows the loss of a member, in one. An empty shard
//! skips the listing: it gets everything.

use std::collections::BTreeMap;

use minicbor::bytes::ByteArray;

use crate::marks::Birth;
use crate::session::Session;
use crate::shard::Shard;
use crate::shard::backlog::Walk;
use crate::shard::comparisons::{Beginning, Marks};
use crate::shard::stubs::Stub;
use crate::wire::{self, Digest, Entry, Listing, Mark, NotDonor, Synced, Want};
use crate::{Effects, Incarnation, Instant, SessionKey};

/// Sessions in one piece of a listing or of a want.
const PIECE: usize = 512;

/// The side that begins.
impl Shard {
    /// Begins to compare with a member; `joining`: this node wants the state to begin with.
    pub(crate) fn compare(&mut self, with: Incarnation, joining: bool, now: Instant, effects: &mut Effects) {
        let patience = self.settings.timing.ack_timeout * 2;
        let beginning = Beginning { joining, was_empty: self.table.len() == 0, patience };
        self.begin_comparison(with, beginning, now, effects);
    }

    /// Comparisons that make no progress begin again (rule 6.8).
    pub(super) fn retry_comparisons(&mut self, now: Instant, effects: &mut Effects) {
        for (with, beginning) in self.comparisons.late(now) {
            let beginning = Beginning { was_empty: self.table.len() == 0, ..beginning };
            self.begin_comparison(with, beginning, now, effects);
        }
    }

    fn begin_comparison(
        &mut self,
        with: Incarnation,
        beginning: Beginning,
        now: Instant,
        effects: &mut Effects,
    ) {
        if !self.peers.contains(with) {
            return;
        }
        let digest = Digest {
            shard: self.number,
            round: self.comparisons.begin(with, beginning, now),
            sessions: self.held() as u64,
            fingerprint: self.fingerprint(),
            joining: beginning.joining,
        };
        effects.send(with, wire::encode(&digest));
        let knows_ends = !self.tombstones.is_empty() && !planted!(self.settings, TRANSFER_WITHOUT_ENDS);
        if !self.is_complete && knows_ends {
            // Another member may come back with a copy of what has ended here (rule 6.7).
            self.walk_for(with, Walk::Ends(None));
            self.pump(with, now, effects);
        }
    }

    pub(crate) fn on_listing(
        &mut self,
        from: Incarnation,
        listing: Listing,
        now: Instant,
        effects: &mut Effects,
    ) {
        let round = listing.round;
        if let Some(listed) = self.comparisons.listing(from, listing, now) {
            self.resolve(from, round, &listed, now, effects);
        }
    }

    /// Puts what the other side lacks into its backlog, and asks for what is lacking here.
    fn resolve(
        &mut self,
        with: Incarnation,
        round: u32,
        listed: &BTreeMap<SessionKey, Entry>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let stubs = self.stubs.iter().map(|(key, stub)| (key, stub.fingerprint()));
        let resident = self.table.iter().map(|session| (session.key, session.fingerprint()));
        let is_equal = |(key, fingerprint): &(SessionKey, u64)| {
            listed.get(key).is_some_and(|entry| entry.fingerprint == *fingerprint)
        };
        let different = resident.chain(stubs).filter(|held| !is_equal(held));
        let mut to_send: Vec<SessionKey> = different.map(|(key, _)| key).collect();
        let (mut wanted, brought): (Vec<_>, Vec<_>) =
            to_send.iter().copied().partition(|key| listed.contains_key(key));
        for (key, entry) in listed {
            if self.known(*key).is_some() {
                continue;
            }
            let birth =
                Birth { incarnation: Incarnation(entry.birth_incarnation), number: entry.birth_number };
            let has_ended = self.tombstones.contains(*key) || self.ended_before(*key, birth, now);
            if has_ended { &mut to_send } else { &mut wanted }.push(*key);
        }
        let lacking = wanted.iter().filter(|key| !self.table.contains(**key)).count();
        self.counters.repaired += (to_send.len() + lacking) as u64;
        if let Some(stream) = self.peers.get_mut(with) {
            to_send.into_iter().for_each(|key| stream.backlog.add(key, []));
        }
        self.comparisons.resolved(with, &wanted, brought);
        let keys: Vec<ByteArray<16>> = wanted.into_iter().map(|key| key.0.into()).collect();
        let shard = self.number;
        for (piece, last, keys) in pieces(&keys) {
            effects.send(with, wire::encode(&Want { shard, round, piece, last, keys: keys.to_vec() }));
        }
        self.pump(with, now, effects);
    }

    /// The other side has synced. Its birth marks hold here from this very step on, never earlier: what it had under them
    /// is here now, or has ended (rule 7.9).
    pub(crate) fn on_synced(
        &mut self,
        from: Incarnation,
        synced: &Synced,
        now: Instant,
        effects: &mut Effects,
    ) {
        let Some(found) = self.comparisons.synced(from, synced.round) else { return };
        if found.beginning.was_empty && !found.beginning.joining {
            self.counters.repaired += self.table.len() as u64;
        }
        self.make_authoritative(found.brought, now, effects);
        for mark in &synced.marks {
            self.marks.adopt(Incarnation(mark.incarnation), mark.number);
        }
        self.complete_comparison(from);
    }

    /// A comparison is over when the other side has synced and, where this node joins, has acknowledged what this node
    /// sent: once this node is ready, nobody may answer without that (rule 5.7).
    pub(super) fn complete_comparison(&mut self, with: Incarnation) {
        let Some(stream) = self.peers.get(with) else { return };
        let is_complete = self.is_complete || planted!(self.settings, 1007);
        self.comparisons.complete(with, |watermark| is_complete || stream.has_acknowledged(watermark));
    }

    /// Sessions that only this joiner holds, and that no end of the donor ended, become authoritative as they are here.
    /// Their clocks advance as a founder's do, because a member that knows more may only be paused (rule 5.12).
    fn make_authoritative(&mut self, mut brought: Vec<SessionKey>, now: Instant, effects: &mut Effects) {
        brought.retain(|key| self.known(*key).is_some());
        for key in brought {
            self.touch(key, Session::advance_clock);
            self.peers.add_to_backlogs(key);
        }
        self.pump_all(now, effects);
    }

    pub(crate) fn on_not_donor(&mut self, from: Incarnation, declined: NotDonor) {
        self.comparisons.declined(from, declined.round);
    }
}

/// The side that answers.
impl Shard {
    pub(crate) fn on_digest(
        &mut self,
        from: Incarnation,
        digest: &Digest,
        now: Instant,
        effects: &mut Effects,
    ) {
        if !self.peers.contains(from) {
            return;
        }
        if digest.joining && !self.is_complete {
            effects.send(from, wire::encode(&NotDonor { shard: self.number, round: digest.round }));
            return;
        }
        let is_equal = digest.sessions == self.held() as u64 && digest.fingerprint == self.fingerprint();
        if digest.sessions == 0 || is_equal {
            self.comparisons.promise_synced(from, digest.round, self.current_marks());
        } else {
            self.list(from, digest.round, effects);
        }
        if digest.sessions == 0 {
            self.walk_for(from, Walk::Sessions(0));
        } else if digest.joining && !planted!(self.settings, TRANSFER_WITHOUT_ENDS) {
            self.walk_for(from, Walk::Ends(None));
        }
        self.pump(from, now, effects);
    }

    fn list(&mut self, to: Incarnation, round: u32, effects: &mut Effects) {
        let stubs = self.stubs.iter().map(|(_, stub)| entry(stub.session(), stub.fingerprint()));
        let resident = self.table.iter().map(|session| entry(session, session.fingerprint()));
        let entries: Vec<Entry> = resident.chain(stubs).collect();
        self.comparisons.sent_listing(to, round, self.current_marks());
        let shard = self.number;
        for (piece, last, entries) in pieces(&entries) {
            effects.send(to, wire::encode(&Listing { shard, round, piece, last, entries: entries.to_vec() }));
        }
    }

    pub(crate) fn on_want(&mut self, from: Incarnation, want: &Want, now: Instant, effects: &mut Effects) {
        if !self.comparisons.want(from, want) {
            return;
        }
        if let Some(stream) = self.peers.get_mut(from) {
            want.keys.iter().for_each(|key| stream.backlog.add(SessionKey(**key), []));
        }
        self.pump(from, now, effects);
    }

    /// Says so when a member has acknowledged everything that its comparison asked for (rule 6.2).
    pub(super) fn send_synced(&mut self, to: Incarnation, effects: &mut Effects) {
        let Some(stream) = self.peers.get(to) else { return };
        let synced = self.comparisons.take_synced(to, |watermark| stream.has_acknowledged(watermark));
        let Some((round, marks)) = synced else { return };
        let marks = if planted!(self.settings, MARKS_TOO_LATE) { self.current_marks() } else { marks };
        let marks = marks.iter().map(|(member, number)| Mark { incarnation: member.0, number: *number });
        let synced = Synced { shard: self.number, round, marks: marks.collect() };
        effects.send(to, wire::encode(&synced));
    }

    fn current_marks(&self) -> Marks {
        if planted!(self.settings, TRANSFER_WITHOUT_ENDS) { Vec::new() } else { self.marks.iter().collect() }
    }

    fn fingerprint(&self) -> u64 {
        let stubs = self.stubs.iter().map(|(_, stub)| Stub::fingerprint(stub));
        self.table.iter().map(Session::fingerprint).chain(stubs).fold(0, u64::wrapping_add)
    }

    fn walk_for(&mut self, to: Incarnation, walk: Walk) {
        if let Some(stream) = self.peers.get_mut(to) {
            stream.backlog.add_walk(walk);
        }
    }
}

fn entry(session: &Session, fingerprint: u64) -> Entry {
    Entry {
        key: session.key.0,
        fingerprint,
        birth_incarnation: session.birth().incarnation.0,
        birth_number: session.birth().number,
    }
}

/// Cuts a list into numbered pieces; the empty list is one empty piece.
fn pieces<T>(list: &[T]) -> impl Iterator<Item = (u32, bool, &[T])> {
    let size = planted!(PIECE => limit("piece of a listing", PIECE, list.len()));
    let count = list.len().div_ceil(size).max(1);
    (0..count).map(move |piece| {
        let from = piece * size;
        let slice = &list[from..list.len().min(from + size)];
        (piece as u32, piece + 1 == count, slice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_into_numbered_pieces_of_which_one_is_the_last() {
        let cut = |length: usize| {
            let list = vec![0_u8; length];
            pieces(&list).map(|(number, last, piece)| (number, last, piece.len())).collect::<Vec<_>>()
        };
        assert_eq!(cut(0), [(0, true, 0)]);
        assert_eq!(cut(PIECE), [(0, true, PIECE)]);
        assert_eq!(cut(PIECE + 1), [(0, false, PIECE), (1, true, 1)]);
    }
}
