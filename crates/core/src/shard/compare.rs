//! Two members compare what they hold of one shard, and each gets what it lacks.
//!
//! One of them sends a digest. If it differs, the other lists its sessions; the first then owes what the
//! list lacks or has otherwise, and asks for what it lacks itself. The other pays, and says so when all of
//! it has been acknowledged. An empty shard skips the list: it is backlog everything. That is the state
//! transfer, the repair after a partition and the backlogs of a dead member, in one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use minicbor::bytes::ByteArray;

use crate::session::Session;
use crate::shard::Shard;
use crate::shard::peer_stream::{AckTarget, PeerStream, SyncReport, Walk, birth};
use crate::shard::stored::Stub;
use crate::tombstone::Tombstone;
use crate::wire::{self, Digest, Entry, Listing, Mark, NotDonor, Synced, Want};
use crate::{Effects, Incarnation, Instant, SessionKey};

/// Sessions in one piece of a listing or of a want.
const PIECE: usize = 512;

/// A comparison without progress is begun again at the latest after this time.
const PATIENCE_MAX: Duration = Duration::from_secs(16);

/// A comparison that this node began.
#[derive(Debug)]
pub(crate) struct Comparison {
    number: u32,
    joining: bool,
    /// This side had nothing: it is backlog everything, without a listing.
    was_empty: bool,
    listed: BTreeMap<SessionKey, Entry>,
    next_piece: u32,
    /// What the other side was asked for; only that is progress. Changes go on meanwhile, whether it still knows of
    /// this comparison or not.
    wanted: BTreeSet<SessionKey>,
    /// What the donor lacks of what this joiner has.
    brought: Vec<SessionKey>,
    /// The other side has synced.
    synced: bool,
    /// What this side announced then.
    due: AckTarget,
    progress_at: Instant,
    /// Without progress for so long it begins again, and then waits twice as long: on a slow link an
    /// answer must have the time to come.
    patience: Duration,
}

/// The end of a comparison that this node began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ComparisonOutcome {
    /// Everything that the member had is here, and the other way round it is on its way, or there if this node is joining.
    Compared(Incarnation),
    /// The member lacks some itself.
    Refused(Incarnation),
}

/// A listing that this node sent, until the other side has said what it wants.
#[derive(Debug)]
pub(super) struct Answering {
    round: u32,
    /// Birth marks from before the listing.
    marks: Vec<(Incarnation, u64)>,
    pieces: u32,
}

impl Shard {
    /// Begins to compare with a member; `joining`: this node wants the state to begin with.
    pub(crate) fn compare(&mut self, with: Incarnation, joining: bool, now: Instant, effects: &mut Effects) {
        if !self.streams.contains_key(&with) {
            return;
        }
        self.comparison_number += 1;
        let round = Comparison {
            number: self.comparison_number,
            joining,
            was_empty: self.table.len() == 0,
            listed: BTreeMap::new(),
            next_piece: 0,
            wanted: BTreeSet::new(),
            brought: Vec::new(),
            synced: false,
            due: AckTarget::default(),
            progress_at: now,
            patience: self.settings.timing.ack_timeout * 2,
        };
        self.comparisons.insert(with, round);
        self.outcomes.retain(|outcomes| *outcomes != ComparisonOutcome::Compared(with));
        let digest = Digest {
            shard: self.number,
            round: self.comparison_number,
            sessions: self.held() as u64,
            fingerprint: self.fingerprint(),
            joining,
        };
        effects.send(with, wire::encode(&digest));
        if !self.is_complete && !self.tombstones.is_empty() && !planted!(self.settings, TRANSFER_WITHOUT_ENDS)
        {
            // Who comes back tells what ended on its side: others may come back with a copy of it.
            self.start_walk(with, Walk::Ends(None));
            self.pump(with, now, effects);
        }
    }

    fn fingerprint(&self) -> u64 {
        let stubs = self.stubs.values().map(Stub::fingerprint);
        self.table.iter().map(Session::fingerprint).chain(stubs).fold(0, u64::wrapping_add)
    }

    /// Comparisons that make no progress begin again: any of their frames may be lost.
    pub(super) fn retry_comparisons(&mut self, now: Instant, effects: &mut Effects) {
        let is_late = |round: &Comparison| !round.synced && now.since(round.progress_at) >= round.patience;
        let late = self.comparisons.iter().filter(|(_, round)| is_late(round));
        let late: Vec<(Incarnation, bool, Duration)> =
            late.map(|(incarnation, round)| (*incarnation, round.joining, round.patience)).collect();
        for (incarnation, joining, patience) in late {
            self.compare(incarnation, joining, now, effects);
            if let Some(round) = self.comparisons.get_mut(&incarnation) {
                round.patience = (patience * 2).min(PATIENCE_MAX);
            }
        }
    }

    /// A copy came from this member. If it is one that was asked for, the comparison is alive.
    pub(super) fn note_progress(&mut self, from: Incarnation, key: SessionKey, now: Instant) {
        if let Some(round) = self.comparisons.get_mut(&from)
            && (round.was_empty || round.wanted.contains(&key))
        {
            round.progress_at = now;
        }
    }

    pub(crate) fn on_digest(
        &mut self,
        from: Incarnation,
        digest: &Digest,
        now: Instant,
        effects: &mut Effects,
    ) {
        if !self.streams.contains_key(&from) {
            return;
        }
        if digest.joining && !self.is_complete {
            effects.send(from, wire::encode(&NotDonor { shard: self.number, round: digest.round }));
            return;
        }
        let equal = digest.sessions == self.held() as u64 && digest.fingerprint == self.fingerprint();
        if digest.sessions == 0 {
            self.promise_sync(from, digest.round, self.current_marks());
            self.start_walk(from, Walk::Sessions(0));
        } else if equal {
            self.promise_sync(from, digest.round, self.current_marks());
        } else {
            self.list(from, digest.round, effects);
        }
        if digest.joining && digest.sessions > 0 && !planted!(self.settings, TRANSFER_WITHOUT_ENDS) {
            self.start_walk(from, Walk::Ends(None));
        }
        self.pump(from, now, effects);
    }

    fn start_walk(&mut self, to: Incarnation, walk: Walk) {
        if let Some(stream) = self.streams.get_mut(&to)
            && !matches!(stream.walk, Some(Walk::Sessions(_)))
        {
            stream.walk = Some(walk);
        }
    }

    fn promise_sync(&mut self, to: Incarnation, round: u32, marks: Vec<(Incarnation, u64)>) {
        if let Some(stream) = self.streams.get_mut(&to) {
            stream.sync_report = Some(SyncReport { round, marks, due: AckTarget::default() });
        }
    }

    fn list(&mut self, to: Incarnation, round: u32, effects: &mut Effects) {
        let marks = self.current_marks();
        let stubs = self.stubs.values().map(|stub| entry(&stub.skeleton, stub.fingerprint()));
        let resident = self.table.iter().map(|session| entry(session, session.fingerprint()));
        let entries: Vec<Entry> = resident.chain(stubs).collect();
        let Some(stream) = self.streams.get_mut(&to) else { return };
        stream.answering = Some(Answering { round, marks, pieces: 0 });
        let shard = self.number;
        for (piece, last, entries) in pieces(&entries) {
            effects.send(to, wire::encode(&Listing { shard, round, piece, last, entries: entries.to_vec() }));
        }
    }

    pub(crate) fn on_listing(
        &mut self,
        from: Incarnation,
        listing: Listing,
        now: Instant,
        effects: &mut Effects,
    ) {
        let expected =
            |round: &&mut Comparison| round.number == listing.round && round.next_piece == listing.piece;
        let Some(round) = self.comparisons.get_mut(&from).filter(expected) else { return };
        round.next_piece += 1;
        round.progress_at = now;
        round.listed.extend(listing.entries.into_iter().map(|entry| (SessionKey(entry.key), entry)));
        if listing.last {
            let listed = std::mem::take(&mut round.listed);
            self.resolve(from, listing.round, &listed, now, effects);
        }
    }

    /// Owes what the other side lacks, and asks for what is lacking here.
    fn resolve(
        &mut self,
        with: Incarnation,
        round: u32,
        listed: &BTreeMap<SessionKey, Entry>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let differs = |(key, fingerprint): (SessionKey, u64)| {
            let equal = listed.get(&key).is_some_and(|entry| entry.fingerprint == fingerprint);
            (!equal).then_some(key)
        };
        let stubs = self.stubs.iter().map(|(key, stub)| (*key, stub.fingerprint()));
        let resident = self.table.iter().map(|session| (session.key, session.fingerprint()));
        let mut backlog: Vec<SessionKey> = resident.chain(stubs).filter_map(differs).collect();
        let mut wanted: Vec<_> = backlog.iter().filter(|key| listed.contains_key(key)).copied().collect();
        if let Some(round) = self.comparisons.get_mut(&with).filter(|round| round.joining) {
            round.brought = backlog.iter().filter(|key| !listed.contains_key(key)).copied().collect();
        }
        for (key, entry) in listed {
            if self.known(*key).is_some() {
                continue;
            }
            let birth = birth(entry.birth_incarnation, entry.birth_number);
            let covered = self.marks.covers(birth) && !planted!(self.settings, END_FORGOTTEN_EARLY);
            if !self.tombstones.contains_key(key) && covered {
                self.tombstones.insert(*key, Tombstone::unknown(birth, now));
            }
            if self.tombstones.contains_key(key) {
                backlog.push(*key);
            } else {
                wanted.push(*key);
            }
        }
        let lacking = wanted.iter().filter(|key| !self.table.contains(**key)).count();
        self.counters.repaired += (backlog.len() + lacking) as u64;
        if let Some(stream) = self.streams.get_mut(&with) {
            backlog.into_iter().for_each(|key| stream.add_to_backlog(key, []));
        }
        if let Some(round) = self.comparisons.get_mut(&with) {
            round.wanted = wanted.iter().copied().collect();
        }
        let keys: Vec<ByteArray<16>> = wanted.into_iter().map(|key| key.0.into()).collect();
        let shard = self.number;
        for (piece, last, keys) in pieces(&keys) {
            effects.send(with, wire::encode(&Want { shard, round, piece, last, keys: keys.to_vec() }));
        }
        self.pump(with, now, effects);
    }

    pub(crate) fn on_want(&mut self, from: Incarnation, want: &Want, now: Instant, effects: &mut Effects) {
        let Some(stream) = self.streams.get_mut(&from) else { return };
        let expected = |answer: &&mut Answering| answer.round == want.round && answer.pieces == want.piece;
        let Some(answering) = stream.answering.as_mut().filter(expected) else { return };
        answering.pieces += 1;
        want.keys.iter().for_each(|key| stream.add_to_backlog(SessionKey(**key), []));
        if want.last
            && let Some(answered) = stream.answering.take()
        {
            self.promise_sync(from, answered.round, answered.marks);
        }
        self.pump(from, now, effects);
    }

    /// Says so when a round's backlogs have all been acknowledged.
    pub(super) fn send_sync_report(&mut self, to: Incarnation, effects: &mut Effects) {
        let Some(sync_report) = self.streams.get_mut(&to).and_then(PeerStream::take_sync_report) else {
            return;
        };
        let late = planted!(self.settings, MARKS_TOO_LATE);
        let marks = if late { self.current_marks() } else { sync_report.marks };
        let marks =
            marks.iter().map(|(incarnation, number)| Mark { incarnation: incarnation.0, number: *number });
        let synced = Synced { shard: self.number, round: sync_report.round, marks: marks.collect() };
        effects.send(to, wire::encode(&synced));
    }

    /// The other side has synced. Its birth marks hold here from this very step on, never earlier: what it
    /// had under them is here now, or has ended.
    pub(crate) fn on_synced(
        &mut self,
        from: Incarnation,
        synced: &Synced,
        now: Instant,
        effects: &mut Effects,
    ) {
        let asked = |round: &&mut Comparison| round.number == synced.round && !round.synced;
        let Some(round) = self.comparisons.get_mut(&from).filter(asked) else { return };
        round.synced = true;
        let brought = std::mem::take(&mut round.brought);
        if round.was_empty && !round.joining {
            self.counters.repaired += self.table.len() as u64;
        }
        self.adopt_brought(brought, now, effects);
        for mark in &synced.marks {
            self.marks.adopt(Incarnation(mark.incarnation), mark.number);
        }
        self.finish_comparison(from);
    }

    /// The comparison is over when the other side has synced and, where this node is on its way in, has all that it was
    /// announced: once this node is ready, nobody may answer without it.
    pub(super) fn finish_comparison(&mut self, with: Incarnation) {
        let (Some(round), Some(stream)) = (self.comparisons.get_mut(&with), self.streams.get(&with)) else {
            return;
        };
        if round.synced && (self.is_complete || stream.has_acknowledged(&mut round.due)) {
            self.comparisons.remove(&with);
            self.outcomes.push(ComparisonOutcome::Compared(with));
        }
    }

    /// What this joiner had, the donor had not, and none of the donor's ends ended, is the cluster's from now on as this node
    /// remembers it. So it gets the lead that a founder's sessions have: a member that knows more may only be stopped.
    fn adopt_brought(&mut self, mut brought: Vec<SessionKey>, now: Instant, effects: &mut Effects) {
        brought.retain(|key| self.known(*key).is_some());
        for key in brought {
            self.touch(key, Session::advance_clock);
            self.backlog_for_all(key);
        }
        self.pump_all(now, effects);
    }

    pub(crate) fn on_not_donor(&mut self, from: Incarnation, refusal: NotDonor) {
        if self.comparisons.get(&from).is_some_and(|round| round.number == refusal.round) {
            self.comparisons.remove(&from);
            self.outcomes.push(ComparisonOutcome::Refused(from));
        }
    }

    fn current_marks(&self) -> Vec<(Incarnation, u64)> {
        if planted!(self.settings, TRANSFER_WITHOUT_ENDS) { Vec::new() } else { self.marks.iter().collect() }
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
    let count = list.len().div_ceil(PIECE).max(1);
    (0..count).map(move |piece| {
        let from = piece * PIECE;
        let slice = &list[from..list.len().min(from + PIECE)];
        (piece as u32, piece + 1 == count, slice)
    })
}
