//! Settling commits: who still waits for whom, and in which order responses may go.
//!
//! Commits on one session settle in the order in which they were made. Must not know what was committed.

use crate::shard::Shard;
use crate::{Effect, Effects, Incarnation, Receipt, SessionKey, Ticket};

/// A commit or an end that some members have not confirmed.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) key: SessionKey,
    /// It is the session's end itself: another end does not settle it, everybody has to know of one.
    pub(super) is_end: bool,
    pub(super) waiting: Vec<Incarnation>,
    /// Members that get it and are not awaited.
    pub(super) not_awaited: u32,
    pub(super) receipt: Receipt,
    /// The commit before it on the same session, which is settled first: a response that read both waits only for the
    /// later one.
    earlier: Option<Ticket>,
    /// The commit after it.
    later: Option<Ticket>,
    /// Others who wait for it: responses that read what it wrote.
    readers: Vec<Ticket>,
}

impl Pending {
    pub(super) fn new(
        key: SessionKey,
        is_end: bool,
        waiting: Vec<Incarnation>,
        not_awaited: u32,
        receipt: Receipt,
    ) -> Self {
        Self { key, is_end, waiting, not_awaited, receipt, earlier: None, later: None, readers: Vec::new() }
    }
}

impl Shard {
    /// A number that no other question or ticket of this node has.
    pub(super) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers << 8 | u64::from(self.number)
    }

    /// Somebody waits for the newest unsettled commit on this session, if there is one.
    pub(crate) fn await_settled(&mut self, key: SessionKey, reader: Ticket) -> bool {
        let pending = self.unsettled(key).and_then(|ticket| self.pending.get_mut(&ticket));
        pending.map(|pending| pending.readers.push(reader)).is_some()
    }

    /// From now on a commit waits for members; it comes after the newest on the same session.
    pub(super) fn await_members(&mut self, ticket: Ticket, pending: Pending) {
        let earlier = self.unsettled.insert(pending.key, ticket);
        if let Some(before) = earlier.and_then(|earlier| self.pending.get_mut(&earlier)) {
            before.later = Some(ticket);
        }
        self.pending.insert(ticket, Pending { earlier, ..pending });
    }

    pub(super) fn confirm(&mut self, ticket: Ticket, by: Incarnation, effects: &mut Effects) {
        if let Some(pending) = self.pending.get_mut(&ticket)
            && pending.waiting.contains(&by)
        {
            pending.receipt.copies += 1;
            planted!(self.settings, SETTLES_ON_FIRST => await_only(&mut pending.waiting, by));
            self.no_longer_awaits(ticket, by, effects);
        }
    }

    pub(super) fn no_longer_awaits(
        &mut self,
        ticket: Ticket,
        incarnation: Incarnation,
        effects: &mut Effects,
    ) {
        let Some(pending) = self.pending.get_mut(&ticket) else { return };
        pending.waiting.retain(|waiting| *waiting != incarnation);
        self.settle_if_held(ticket, effects);
    }

    /// Settles a commit for which nobody is awaited any more, unless one before it still waits.
    fn settle_if_held(&mut self, ticket: Ticket, effects: &mut Effects) {
        if self.is_held(ticket) {
            self.settle(ticket, effects);
        }
    }

    fn is_held(&self, ticket: Ticket) -> bool {
        self.pending.get(&ticket).is_some_and(|pending| {
            let is_first = pending.earlier.is_none_or(|earlier| !self.pending.contains_key(&earlier));
            pending.waiting.is_empty() && is_first
        })
    }

    /// Settles a commit, and those after it that waited for nothing else.
    fn settle(&mut self, ticket: Ticket, effects: &mut Effects) {
        let mut next = Some(ticket);
        while let Some(ticket) = next {
            let Some(pending) = self.pending.remove(&ticket) else { return };
            if self.unsettled.get(&pending.key) == Some(&ticket) {
                self.unsettled.remove(&pending.key);
            }
            let receipt = Receipt { wanted: self.wanted_without(pending.not_awaited), ..pending.receipt };
            notify_settled(ticket, receipt, effects);
            pending.readers.iter().for_each(|reader| notify_settled(*reader, receipt, effects));
            next = pending.later.filter(|later| self.is_held(*later));
        }
    }

    /// Copies that make a commit whole for which `not_awaited` members were not awaited. A member that was lost counts as
    /// awaited until it is back: what it would have been announced is not known.
    pub(super) fn wanted_without(&self, not_awaited: u32) -> u32 {
        self.settings.copies.unwrap_or(self.wanted.saturating_sub(not_awaited).max(1))
    }

    /// The session ended while its commits were on the way: their changes are dropped.
    pub(super) fn settle_as_ended(&mut self, key: SessionKey, effects: &mut Effects) {
        let dropped = self.pending.iter().filter(|(_, pending)| pending.key == key && !pending.is_end);
        let tickets: Vec<Ticket> = dropped.map(|(ticket, _)| *ticket).collect();
        for ticket in tickets {
            if let Some(pending) = self.pending.get_mut(&ticket) {
                pending.receipt.ended = true;
            }
            self.settle(ticket, effects);
        }
    }
}

/// Tells whoever waits with this ticket, if anybody does.
pub(super) fn notify_settled(ticket: Ticket, receipt: Receipt, effects: &mut Effects) {
    if ticket.is_attended() {
        effects.push(Effect::Settled { ticket, receipt });
    }
}
