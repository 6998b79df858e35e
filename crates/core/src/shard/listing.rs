//! A listing of a comparison, a piece at a time: made on one side, judged on the other.
//!
//! No hold of the shard's lock looks at more than a few hundred sessions, and no more than a few pieces are
//! on the way: the side that gets a piece answers it with what it wants of it, and the next piece follows
//! (rule 6.10). Sessions do not move between memory and store meanwhile in a way that a walk would miss: it
//! looks at those in the store first, and none is swapped out while it lasts.

use minicbor::bytes::ByteArray;

use crate::marks::Birth;
use crate::session::Session;
use crate::shard::Shard;
use crate::wire::{self, Entry, Listing, Want};
use crate::{Effects, Incarnation, Instant, SessionKey};

/// Sessions in one piece of a listing, and slots that are looked at for it.
const PIECE: usize = 512;
const SLOTS_IN_PIECE: u32 = 4 * PIECE as u32;

/// Pieces in a walk for what a listing lacks that are looked at in one hold of the lock.
const LOOKED_AT_ONCE: usize = 4;

/// How far a walk over all sessions of a shard has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind this one of those whose content is in a store.
    Stubs(Option<SessionKey>),
    /// At this slot of the table.
    Slots(u32),
    /// At the end.
    End,
}

impl Place {
    pub(crate) const BEGIN: Self = Self::Stubs(None);
}

/// The side that lists.
impl Shard {
    /// Sends the next pieces of a listing, as many as may be on the way.
    pub(super) fn list_on(&mut self, to: Incarnation, effects: &mut Effects) {
        while let Some((round, piece, place)) = self.comparisons.piece_to_send(to) {
            let (entries, next) = self.piece_from(place);
            self.comparisons.sent_piece(to, next);
            let listing = Listing { shard: self.number, round, piece, last: next == Place::End, entries };
            effects.send(to, wire::encode(&listing));
        }
    }

    /// The next sessions from a place on, and the place behind them.
    fn piece_from(&self, mut place: Place) -> (Vec<Entry>, Place) {
        let size = planted!(PIECE => limit("piece of a listing", PIECE, self.held()));
        let mut entries = Vec::new();
        if let Place::Stubs(after) = place {
            let stubs = self.stubs.after(after).take(size);
            entries.extend(stubs.map(|(_, stub)| entry(stub.session(), stub.fingerprint())));
            if entries.len() == size {
                return (entries, Place::Stubs(self.stubs.after(after).nth(size - 1).map(|(key, _)| key)));
            }
            place = Place::Slots(0);
        }
        let (Place::Slots(from), slots) = (place, self.table.slots()) else { return (entries, Place::End) };
        let mut next = from;
        let end = slots.min(from.saturating_add(SLOTS_IN_PIECE));
        while next < end && entries.len() < size {
            entries.extend(self.table.slot(next).map(|session| entry(session, session.fingerprint())));
            next += 1;
        }
        (entries, if next < slots { Place::Slots(next) } else { Place::End })
    }

    pub(crate) fn on_want(&mut self, from: Incarnation, want: &Want, now: Instant, effects: &mut Effects) {
        if !self.comparisons.want(from, want) {
            return;
        }
        if let Some(stream) = self.peers.get_mut(from) {
            want.keys.iter().for_each(|key| stream.backlog.add(SessionKey(**key), []));
        }
        self.list_on(from, effects);
        self.pump(from, now, effects);
    }
}

/// The side that began.
impl Shard {
    /// Judges a piece, and asks for what is lacking here.
    pub(crate) fn on_listing(
        &mut self,
        from: Incarnation,
        listing: Listing,
        now: Instant,
        effects: &mut Effects,
    ) {
        if !self.comparisons.take_piece(from, &listing, now) {
            return;
        }
        let mut wanted = Vec::new();
        for entry in &listing.entries {
            let (is_wanted, is_sent) = self.judge(entry, now);
            if is_wanted {
                wanted.push(SessionKey(entry.key));
                self.counters.repaired += u64::from(!self.table.contains(SessionKey(entry.key)));
            }
            if is_sent {
                self.send_to_equal(from, SessionKey(entry.key));
            }
        }
        self.comparisons.wants(from, &wanted);
        if listing.last {
            self.look_for_unlisted(from, now, effects);
        } else {
            self.send_want(from, false, effects);
        }
        self.pump(from, now, effects);
    }

    /// Whether a listed session is to be asked for, and whether what is here of it, or its end, is to be
    /// sent.
    fn judge(&mut self, entry: &Entry, now: Instant) -> (bool, bool) {
        let key = SessionKey(entry.key);
        let fingerprint = match self.table.get(key) {
            Some(session) => Some(session.fingerprint()),
            None => self.stubs.get(key).map(|stub| stub.fingerprint()),
        };
        if let Some(fingerprint) = fingerprint {
            let differs = fingerprint != entry.fingerprint;
            return (differs, differs);
        }
        let birth = Birth { incarnation: Incarnation(entry.birth_incarnation), number: entry.birth_number };
        let has_ended = self.tombstones.contains(key) || self.ended_before(key, birth, now);
        (!has_ended, has_ended)
    }

    /// The other side lacks something of this session, or all of it.
    fn send_to_equal(&mut self, with: Incarnation, key: SessionKey) {
        self.counters.repaired += 1;
        if let Some(stream) = self.peers.get_mut(with) {
            stream.backlog.add(key, []);
        }
    }

    /// Goes on looking for sessions that listings lack.
    pub(super) fn look_on(&mut self, now: Instant, effects: &mut Effects) {
        for with in self.comparisons.looking() {
            self.look_for_unlisted(with, now, effects);
        }
    }

    /// The listing is complete: what is here and is not in it goes to the other side. In the end the other
    /// side is told that nothing more is wanted.
    fn look_for_unlisted(&mut self, with: Incarnation, now: Instant, effects: &mut Effects) {
        for _ in 0..LOOKED_AT_ONCE {
            let Some(place) = self.comparisons.place_to_look(with) else { return };
            let (entries, next) = self.piece_from(place);
            let keys = entries.iter().map(|entry| SessionKey(entry.key));
            let unlisted = self.comparisons.looked(with, keys, next, now);
            unlisted.into_iter().for_each(|key| self.send_to_equal(with, key));
            if next == Place::End {
                return self.send_want(with, true, effects);
            }
        }
    }

    fn send_want(&mut self, with: Incarnation, last: bool, effects: &mut Effects) {
        let Some((round, piece, wanted)) = self.comparisons.want_to_send(with) else { return };
        let keys: Vec<ByteArray<16>> = wanted.into_iter().map(|key| key.0.into()).collect();
        effects.send(with, wire::encode(&Want { shard: self.number, round, piece, last, keys }));
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
