//! Copies that travel in one frame, because a position, an acknowledgement, a queue and a cipher cost more for each frame than
//! a small session is. Their fields go as they lie in memory.
//!
//! Only copies that nobody waits for go together: what a transfer, a comparison or a new epoch owes. Who does not know such
//! frames gets every copy in its own. Next: `flow.rs`, which decides when something is sent.

use crate::session::Session;
use crate::shard::Shard;
use crate::shard::peer_stream::Carried;
use crate::wire::{Copies, Draft, PackedCopy};
use crate::{Effects, Incarnation, Instant, SessionKey};

/// Bytes of all fields in one frame.
const BYTES_MAX: usize = 8 * 1024;

/// Copies in one frame: for so many the receiver holds the lock at once.
const COPIES_MAX: usize = 64;

/// Copies that are about to be sent in one frame.
#[derive(Default)]
struct Together<'s> {
    copies: Vec<PackedCopy<'s>>,
    bytes: usize,
}

impl<'s> Together<'s> {
    /// Adds a session; false if it has to go with the next ones, or alone.
    fn add(&mut self, session: &'s Session, now: Instant) -> bool {
        let Some(copy) = session.packed(now) else { return false };
        let bytes = self.bytes + copy.fields.len();
        let fits = self.copies.len() < COPIES_MAX && bytes <= BYTES_MAX;
        if fits {
            self.copies.push(copy);
            self.bytes = bytes;
        }
        fits
    }

    /// The frame without its position; `None` if these are not several.
    fn written(self) -> Option<Written> {
        let keys = self.copies.iter().map(|copy| SessionKey(copy.key)).collect();
        let several = self.copies.len() > 1;
        several.then(|| Written { keys, draft: Draft::copies(&Copies { copies: self.copies }) })
    }
}

struct Written {
    keys: Box<[SessionKey]>,
    draft: Draft,
}

impl Shard {
    /// Sends the first of what is backlog by name, and what may go with it; false if nothing is.
    pub(super) fn send_backlog(&mut self, to: Incarnation, now: Instant, effects: &mut Effects) -> bool {
        let Some(stream) = self.streams.get(&to) else { return false };
        let Some(first) = stream.next_in_backlog() else { return false };
        let resident = stream.backlog_without_waiters().map_while(|key| self.table.get(key));
        match self.fitting(to, resident, now) {
            Some(written) => {
                if let Some(stream) = self.streams.get_mut(&to) {
                    stream.remove_from_backlog(&written.keys);
                }
                self.send_written(to, written, now, effects);
            }
            None => {
                let waiters = self.streams.get_mut(&to).map(|stream| stream.take_from_backlog(first));
                self.send_copy(to, first, waiters.unwrap_or_default(), now, effects);
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
        let Some(written) = self.fitting(to, resident().map(|(_, session)| session), now) else {
            self.send_copy(to, key, Vec::new(), now, effects);
            return first + 1;
        };
        let last = resident().nth(written.keys.len() - 1).map_or(first, |(slot, _)| slot);
        self.send_written(to, written, now, effects);
        last + 1
    }

    /// The first of these sessions in one frame; `None` if the first has to go alone.
    fn fitting<'s>(
        &self,
        to: Incarnation,
        mut sessions: impl Iterator<Item = &'s Session>,
        now: Instant,
    ) -> Option<Written> {
        let stream = self
            .streams
            .get(&to)
            .filter(|stream| stream.takes_several && planted!(true => packs_copies(&self.settings)));
        let mut together = Together::default();
        while stream.is_some() && sessions.next().is_some_and(|session| together.add(session, now)) {}
        together.written()
    }

    /// Gives the frame its place and sends it; nobody waits for it.
    fn send_written(&mut self, to: Incarnation, written: Written, now: Instant, effects: &mut Effects) {
        self.transmit(to, Carried::Several(written.keys), written.draft, Vec::new(), now, effects);
    }
}
