//! The sessions of one shard: a slab in chunks, and an index of slot numbers.
//!
//! Slots keep their place, so a state transfer can walk them while sessions come and go. The index holds
//! four bytes an entry: a wide entry would be wasted between 12 and 56 % of the time.

use hashbrown::HashTable;

use crate::SessionKey;
use crate::session::Session;

/// Slots in a chunk: growing costs at most this much unused room.
const CHUNK: usize = 512;

/// All sessions of one shard, by key and by slot.
#[derive(Debug, Default)]
pub(crate) struct Table {
    chunks: Vec<Vec<Option<Session>>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    bytes: usize,
}

/// Keys are random, so their own bits are the hash.
fn hash(key: SessionKey) -> u64 {
    key.as_u128() as u64
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes of all sessions, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// One more than the last slot ever used: a walk ends there.
    pub(crate) fn slots(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        let slots = full + self.chunks.last().map_or(0, Vec::len);
        u32::try_from(slots).expect("inserting checked that slots fit 32 bits")
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

    /// Changes a session in place; the change of its size is accounted. `None` if it is not here.
    pub(crate) fn update<R>(&mut self, key: SessionKey, change: impl FnOnce(&mut Session) -> R) -> Option<R> {
        let slot = self.find(key)? as usize;
        let session = self.chunks[slot / CHUNK][slot % CHUNK].as_mut()?;
        let before = session.footprint();
        let result = change(session);
        self.bytes = self.bytes + session.footprint() - before;
        Some(result)
    }

    /// Changes what does not change the size: uses and times.
    pub(crate) fn touch<R>(&mut self, key: SessionKey, change: impl FnOnce(&mut Session) -> R) -> Option<R> {
        let slot = self.find(key)? as usize;
        self.chunks[slot / CHUNK][slot % CHUNK].as_mut().map(change)
    }

    /// As [`touch`](Self::touch), for every session.
    pub(crate) fn touch_all(&mut self, change: impl FnMut(&mut Session)) {
        self.chunks.iter_mut().flatten().flatten().for_each(change);
    }

    /// Puts a session in; one of the same key is replaced.
    pub(crate) fn insert(&mut self, session: Session) {
        self.remove(session.key);
        self.bytes += session.footprint();
        let key = session.key;
        let slot = self.free.pop().unwrap_or_else(|| self.new_slot());
        self.chunks[slot as usize / CHUNK][slot as usize % CHUNK] = Some(session);
        let chunks = &self.chunks;
        self.index.insert_unique(hash(key), slot, |slot| hash(key_at(chunks, *slot)));
    }

    pub(crate) fn remove(&mut self, key: SessionKey) -> Option<Session> {
        let chunks = &self.chunks;
        let entry = self.index.find_entry(hash(key), |slot| key_at(chunks, *slot) == key).ok()?;
        let slot = entry.remove().0;
        self.free.push(slot);
        let session = self.chunks[slot as usize / CHUNK][slot as usize % CHUNK].take()?;
        self.bytes -= session.footprint();
        Some(session)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.chunks.iter().flatten().flatten()
    }

    fn find(&self, key: SessionKey) -> Option<u32> {
        self.index.find(hash(key), |slot| key_at(&self.chunks, *slot) == key).copied()
    }

    fn new_slot(&mut self) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let slot = self.slots();
        self.chunks.last_mut().expect("one was just pushed").push(None);
        slot
    }
}

fn key_at(chunks: &[Vec<Option<Session>>], slot: u32) -> SessionKey {
    let slot = slot as usize;
    chunks[slot / CHUNK][slot % CHUNK].as_ref().expect("the index names only slots in use").key
}
