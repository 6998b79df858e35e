//! Copies that travel in one frame, because a position, an acknowledgement, a queue and a cipher cost more
//! for each frame than a small session is. Their fields go as they lie in memory.
//!
//! Only copies for which no commit waits go together: those of a transfer, of a comparison or of a new epoch.
//! A member that does not know such frames gets every copy in its own (rule 2.8).

use crate::session::Session;
use crate::shard::Shard;
use crate::shard::in_flight::Carried;
use crate::wire::{Copies, Draft, PackedCopy};
use crate::{Effects, Incarnation, Instant, SessionKey};

/// Bytes of all fields in one frame.
const BYTES_MAX: usize = 8 * 1024;

/// Copies in one frame. For so many the receiver holds the lock at once.
const COPIES_MAX: usize = 64;

/// Copies that are about to be sent in one frame.
#[derive(Default)]
struct Batch<'s> {
    copies: Vec<PackedCopy<'s>>,
    bytes: usize,
}

impl<'s> Batch<'s> {
    /// Adds a session; false if it has to go with the next ones, or alone.
    fn add(&mut self, session: &'s Session, now: Instant) -> bool {
        let Some(copy) = session.packed(now) else { return false };
        let bytes = self.bytes + copy.fields.len();
        let fits = self.copies.len()
            < planted!(COPIES_MAX => limit("copies in a frame", COPIES_MAX, self.copies.len()))
            && bytes <= BYTES_MAX;
        if fits {
            self.copies.push(copy);
            self.bytes = bytes;
        }
        fits
    }

    /// The frame without its position; `None` if these are not several.
    fn draft(self) -> Option<BatchDraft> {
        let keys = self.copies.iter().map(|copy| SessionKey(copy.key)).collect();
        let several = self.copies.len() > 1;
        several.then(|| BatchDraft { keys, draft: Draft::copies(&Copies { copies: self.copies }) })
    }
}

struct BatchDraft {
    keys: Box<[SessionKey]>,
    draft: Draft,
}

impl Shard {
    /// Sends the first session that a member's backlog names, with those that may go in the same frame; false
    /// if it names none.
    pub(super) fn send_backlog(&mut self, to: Incarnation, now: Instant, effects: &mut Effects) -> bool {
        let Some(stream) = self.peers.get(to) else { return false };
        let Some(first) = stream.backlog.first() else { return false };
        let resident = stream.backlog.first_without_waiters().map_while(|key| self.table.get(key));
        let batch = self.batch(to, resident, now);
        let Some(stream) = self.peers.get_mut(to) else { return false };
        match batch {
            Some(batch) => {
                stream.backlog.remove(&batch.keys);
                self.send_batch(to, batch, now, effects);
            }
            None => {
                let waiters = stream.backlog.take(first);
                self.send_copy(to, first, waiters, now, effects);
            }
        }
        true
    }

    /// Sends the first sessions from a slot on, before `end`; gives the slot from which to go on.
    pub(super) fn send_slots(
        &mut self,
        to: Incarnation,
        from: u32,
        end: u32,
        now: Instant,
        effects: &mut Effects,
    ) -> u32 {
        let table = &self.table;
        let resident = || (from..end).filter_map(|slot| Some((slot, table.slot(slot)?)));
        let Some((first, key)) = resident().next().map(|(slot, session)| (slot, session.key)) else {
            return end;
        };
        let Some(batch) = self.batch(to, resident().map(|(_, session)| session), now) else {
            self.send_copy(to, key, Vec::new(), now, effects);
            return first + 1;
        };
        let last = resident().nth(batch.keys.len() - 1).map_or(first, |(slot, _)| slot);
        self.send_batch(to, batch, now, effects);
        last + 1
    }

    /// The first of these sessions in one frame; `None` if the first has to go alone.
    fn batch<'s>(
        &self,
        to: Incarnation,
        mut sessions: impl Iterator<Item = &'s Session>,
        now: Instant,
    ) -> Option<BatchDraft> {
        let takes_several = self.peers.get(to).is_some_and(|stream| stream.takes_several);
        let takes_several = planted!(takes_several => packs_copies(&self.settings, takes_several));
        let mut batch = Batch::default();
        while takes_several && sessions.next().is_some_and(|session| batch.add(session, now)) {}
        batch.draft()
    }

    /// Gives the frame its position and sends it; no commit waits for it.
    fn send_batch(&mut self, to: Incarnation, batch: BatchDraft, now: Instant, effects: &mut Effects) {
        self.transmit(to, Carried::Several(batch.keys), batch.draft, Vec::new(), now, effects);
    }
}
