//! The sessions of one shard: a slab in chunks, and an index of slot numbers.
//!
//! Slots keep their position, so a state transfer can walk them while sessions come and go. The index holds
//! four bytes an entry: a wide entry would be wasted between 12 and 56 % of the time.

use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::SessionKey;
use crate::fingerprint;
use crate::population::Population;
use crate::session::Session;

/// Slots in a chunk: growing costs at most this much unused room.
const CHUNK: usize = 512;
/// An index that has room for so many times its entries gives most of it back.
const ROOMY: usize = 8;

/// All sessions of one shard, by key and by slot.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// One whose sessions have all gone may be empty of slots, too.
    chunks: Vec<Vec<Option<Session>>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    bytes: usize,
    /// The sum of all fingerprints. Every change of a session is accounted, so that no comparison walks over
    /// them.
    fingerprint: u64,
    /// Those of this node's other shards count in it, too.
    population: Arc<Population>,
}

/// Keys are random, so their own bits are the hash.
fn hash(key: SessionKey) -> u64 {
    key.as_u128() as u64
}

impl Table {
    pub(crate) fn new(population: Arc<Population>) -> Self {
        Self { population, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes of all sessions, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// One more than the last slot ever used: a walk ends there.
    pub(crate) fn slots(&self) -> u32 {
        slots(&self.chunks)
    }

    pub(crate) fn slot(&self, slot: u32) -> Option<&Session> {
        let slot = slot as usize;
        self.chunks.get(slot / CHUNK)?.get(slot % CHUNK)?.as_ref()
    }

    pub(crate) fn slot_mut(&mut self, slot: u32) -> Option<&mut Session> {
        let slot = slot as usize;
        self.chunks.get_mut(slot / CHUNK)?.get_mut(slot % CHUNK)?.as_mut()
    }

    pub(crate) fn contains(&self, key: SessionKey) -> bool {
        self.find(key).is_some()
    }

    pub(crate) fn get(&self, key: SessionKey) -> Option<&Session> {
        self.slot(self.find(key)?)
    }

    /// The sum of the fingerprints of all sessions. Rule 6.9.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The slot of a session.
    pub(crate) fn slot_of(&self, key: SessionKey) -> Option<u32> {
        self.find(key)
    }

    /// Changes a session in position; the change of its size is accounted, and that of its fingerprint:
    /// `change` gives what the fingerprint of its fields changed by. `None` if the session is not here.
    pub(crate) fn update<R>(
        &mut self,
        key: SessionKey,
        change: impl FnOnce(&mut Session) -> (R, u64),
    ) -> Option<R> {
        let slot = self.find(key)? as usize;
        let session = self.chunks[slot / CHUNK][slot % CHUNK].as_mut()?;
        let (footprint, clock) = (session.footprint(), session.clock);
        let (result, fields) = change(session);
        self.bytes = self.bytes + session.footprint() - footprint;
        let change = fingerprint::of_fields(fields).wrapping_add(advanced(clock, session));
        self.fingerprint = self.fingerprint.wrapping_add(change);
        Some(result)
    }

    /// Changes what does not change the fields: uses, times, the clock.
    pub(crate) fn touch<R>(&mut self, key: SessionKey, change: impl FnOnce(&mut Session) -> R) -> Option<R> {
        let slot = self.find(key)? as usize;
        let session = self.chunks[slot / CHUNK][slot % CHUNK].as_mut()?;
        let clock = session.clock;
        let result = change(session);
        self.fingerprint = self.fingerprint.wrapping_add(advanced(clock, session));
        Some(result)
    }

    /// As [`touch`](Self::touch), for every session.
    pub(crate) fn touch_all(&mut self, mut change: impl FnMut(&mut Session)) {
        for session in self.chunks.iter_mut().flatten().flatten() {
            let clock = session.clock;
            change(session);
            self.fingerprint = self.fingerprint.wrapping_add(advanced(clock, session));
        }
    }

    /// Puts a session in; one of the same key is replaced.
    pub(crate) fn insert(&mut self, session: Session) {
        let before = self.len();
        self.insert_counted(session);
        if self.len() > before {
            self.population.add();
        }
    }

    /// The same for a session that counts already: see [`Population::created`].
    pub(crate) fn insert_counted(&mut self, session: Session) {
        self.bytes += session.footprint();
        self.fingerprint = self.fingerprint.wrapping_add(session.fingerprint());
        let (key, chunks) = (session.key, &self.chunks);
        let is_it = |slot: &u32| key_at(chunks, *slot) == key;
        let entry = self.index.entry(hash(key), is_it, |slot| hash(key_at(chunks, *slot)));
        let slot = match entry {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let slot = self.free.pop().unwrap_or_else(|| new_slot(&mut self.chunks));
                entry.insert(slot);
                slot
            }
        };
        let chunk = &mut self.chunks[slot as usize / CHUNK];
        if chunk.is_empty() {
            chunk.resize_with(CHUNK, || None);
        }
        if let Some(before) = chunk[slot as usize % CHUNK].replace(session) {
            self.bytes -= before.footprint();
            self.fingerprint = self.fingerprint.wrapping_sub(before.fingerprint());
        }
    }

    pub(crate) fn remove(&mut self, key: SessionKey) -> Option<Session> {
        let chunks = &self.chunks;
        let entry = self.index.find_entry(hash(key), |slot| key_at(chunks, *slot) == key).ok()?;
        let slot = entry.remove().0;
        self.population.remove();
        self.free.push(slot);
        let session = self.chunks[slot as usize / CHUNK][slot as usize % CHUNK].take()?;
        self.bytes -= session.footprint();
        self.fingerprint = self.fingerprint.wrapping_sub(session.fingerprint());
        Some(session)
    }

    /// Gives the memory of crowds that have gone back: of chunks without a session, and most of a roomy
    /// index. Slots keep their numbers. The last chunk stays, it is the one that grows.
    pub(crate) fn give_back(&mut self) {
        let earlier = self.chunks.len().saturating_sub(1);
        for chunk in self.chunks[..earlier].iter_mut().filter(|chunk| chunk.iter().all(Option::is_none)) {
            *chunk = Vec::new();
        }
        if self.index.capacity() > CHUNK && self.index.capacity() / ROOMY > self.index.len() {
            let chunks = &self.chunks;
            self.index.shrink_to(self.index.len() * 2, |slot| hash(key_at(chunks, *slot)));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.chunks.iter().flatten().flatten()
    }

    fn find(&self, key: SessionKey) -> Option<u32> {
        self.index.find(hash(key), |slot| key_at(&self.chunks, *slot) == key).copied()
    }
}

/// What a session's fingerprint changed by when its clock went on.
fn advanced(from: u64, session: &Session) -> u64 {
    fingerprint::of_clock(session.clock).wrapping_sub(fingerprint::of_clock(from))
}

fn slots(chunks: &[Vec<Option<Session>>]) -> u32 {
    let full = chunks.len().saturating_sub(1) * CHUNK;
    let slots = full + chunks.last().map_or(0, Vec::len);
    u32::try_from(slots).expect("inserting checked that slots fit 32 bits")
}

fn new_slot(chunks: &mut Vec<Vec<Option<Session>>>) -> u32 {
    if chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
        chunks.push(Vec::with_capacity(CHUNK));
    }
    let slot = slots(chunks);
    chunks.last_mut().expect("one was just pushed").push(None);
    slot
}

fn key_at(chunks: &[Vec<Option<Session>>], slot: u32) -> SessionKey {
    let slot = slot as usize;
    chunks[slot / CHUNK][slot % CHUNK].as_ref().expect("the index names only slots in use").key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::Birth;
    use crate::{AppId, Instant};

    fn session(number: u64) -> Session {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
        key[8..].copy_from_slice(&number.to_le_bytes());
        let mut session = Session::new(SessionKey(key), AppId::default(), Birth::default(), Instant::ORIGIN);
        session.clock = number;
        session
    }

    #[test]
    fn the_sum_of_fingerprints_is_that_of_the_sessions() {
        use crate::{FieldRef, Incarnation, Timestamp, Value, ValueRef};
        let mut table = Table::default();
        let walked = |table: &Table| table.iter().map(Session::fingerprint).fold(0, u64::wrapping_add);
        for step in 0..4_000_u64 {
            let key = session(step % 97).key;
            match step % 7 {
                0 => table.insert(session(step % 97)),
                1 if step % 3 == 0 => drop(table.remove(key)),
                2 => drop(table.touch(key, Session::advance_clock)),
                3 if step % 100 == 0 => table.touch_all(|session| session.clock += 1),
                _ => {
                    let name = format!("a{}", step % 11);
                    let value = Value::raw(vec![7; if step % 50 == 0 { 5_000 } else { 9 }]);
                    let write = FieldRef {
                        name: name.as_str().into(),
                        timestamp: Timestamp::new(step % 60, Incarnation(step as u32 % 3)),
                        value: (step % 5 > 0).then_some(ValueRef::from(&value)),
                    };
                    table.update(key, |session| {
                        session.clock = session.clock.max(step % 60);
                        session.fields.merge_counted(write)
                    });
                }
            }
            assert_eq!(table.fingerprint(), walked(&table), "step {step}");
        }
        assert!(table.len() > 50);
    }

    fn room(table: &Table) -> usize {
        table.chunks.iter().map(Vec::capacity).sum::<usize>() + table.index.capacity()
    }

    #[test]
    fn what_a_crowd_took_is_given_back_and_taken_again() {
        let crowd = 40 * CHUNK as u64;
        let mut table = Table::default();
        (0..crowd).for_each(|number| table.insert(session(number)));
        let (slots, full) = (table.slots(), room(&table));
        table.give_back();
        assert_eq!(room(&table), full, "nothing of what is in use");
        // Of the crowd two stay, far apart.
        let staying = [CHUNK as u64 + 7, 30 * CHUNK as u64];
        let going = (0..crowd).filter(|number| !staying.contains(number));
        going.for_each(|number| assert!(table.remove(session(number).key).is_some()));
        table.give_back();
        assert!(room(&table) <= 5 * CHUNK, "{} of {full}", room(&table));
        assert_eq!((table.slots(), table.len(), table.iter().count()), (slots, 2, 2));
        let found = staying.map(|number| table.get(session(number).key).map(|session| session.clock));
        assert_eq!(found, staying.map(Some));
        let walked = (0..table.slots()).filter_map(|slot| table.slot(slot)).count();
        assert_eq!(walked, 2, "a walk passes over what is gone");
        // Another crowd takes the same slots.
        (crowd..2 * crowd - 2).for_each(|number| table.insert(session(number)));
        assert_eq!((table.slots(), table.len() as u64), (slots, crowd));
        assert!((crowd..2 * crowd - 2).all(|number| table.contains(session(number).key)));
    }
}
