//! Two members compare what they hold of one shard, and each gets what it lacks (section 6 of PROTOCOL.md).
//!
//! That is the state transfer, the repair after a partition, and what follows the loss of a member, in one.
//! An empty shard skips the listing: it gets everything. The listing itself is in `listing`.

use crate::session::Session;
use crate::shard::Shard;
use crate::shard::backlog::Walk;
use crate::shard::comparisons::{Beginning, Marks};
use crate::wire::{self, Digest, Mark, NotDonor, Synced};
use crate::{Effects, Incarnation, Instant, SessionKey};

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

    /// The other side has synced. Its birth marks hold here from this very step on, never earlier: what it
    /// had under them is here now, or has ended (rule 7.9).
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

    /// A comparison is over when the other side has synced and, where this node joins, has acknowledged what
    /// this node sent: once this node is ready, nobody may answer without that (rule 5.7). Of what the other
    /// side refused because it has ended, the end has to be here (rule 5.14).
    pub(super) fn complete_comparison(&mut self, with: Incarnation) {
        let Some(stream) = self.peers.get(with) else { return };
        let is_complete = self.is_complete || planted!(self.settings, 1007);
        let may_end = || !self.announced_ends.values().any(|by| *by == with);
        self.comparisons
            .complete(with, |watermark| is_complete || stream.has_acknowledged(watermark) && may_end());
    }

    /// Sessions that only this joiner holds, and that no end of the donor ended, become authoritative as they
    /// are here. Their clocks advance as a founder's do, because a member that knows more may only be paused
    /// (rule 5.12).
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
            self.comparisons.begin_listing(from, digest.round, self.current_marks());
            self.list_on(from, effects);
        }
        if digest.sessions == 0 {
            self.walk_for(from, Walk::Sessions(0));
        } else if digest.joining && !planted!(self.settings, TRANSFER_WITHOUT_ENDS) {
            self.walk_for(from, Walk::Ends(None));
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

    /// The sum over all sessions, kept with every change of one of them (rule 6.9).
    fn fingerprint(&self) -> u64 {
        let kept = self.table.fingerprint().wrapping_add(self.stubs.fingerprint());
        debug_assert_eq!(kept, self.walked_fingerprint());
        kept
    }

    /// The same by a walk, which would hold everybody up: only to check the other.
    fn walked_fingerprint(&self) -> u64 {
        let stubs = self.stubs.iter().map(|(_, stub)| stub.fingerprint());
        self.table.iter().map(Session::fingerprint).chain(stubs).fold(0, u64::wrapping_add)
    }

    fn walk_for(&mut self, to: Incarnation, walk: Walk) {
        if let Some(stream) = self.peers.get_mut(to) {
            stream.backlog.add_walk(walk);
        }
    }
}
