//! Two members compare what they hold of one shard, and each gets what it lacks.
//!
//! One of them sends a digest. If it differs, the other lists its sessions; the first then owes what the
//! list lacks or has otherwise, and asks for what it lacks itself. The other pays, and says so when all of
//! it has been acknowledged. An empty shard skips the list: it is owed everything. That is the state
//! transfer, the repair after a partition and the debts of a dead member, in one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use minicbor::bytes::ByteArray;

use crate::session::Session;
use crate::shard::lane::{Due, Lane, Payment, Walk, birth};
use crate::shard::stored::Stub;
use crate::shard::{Shard, send};
use crate::tombstone::Tombstone;
use crate::wire::{self, Digest, Entry, Listing, Mark, NotDonor, Paid, Want};
use crate::{Boot, Effect, Instant, Plant, SessionKey};

/// Sessions in one piece of a listing or of a want.
const PIECE: usize = 512;

/// A comparison without progress is begun again at the latest after this time.
const PATIENCE_MAX: Duration = Duration::from_secs(16);

/// A comparison that this node began.
#[derive(Debug)]
pub(crate) struct Round {
    number: u32,
    joining: bool,
    /// This side had nothing: it is owed everything, without a listing.
    was_empty: bool,
    listed: BTreeMap<SessionKey, Entry>,
    next_piece: u32,
    /// What the other side was asked for; only that is progress. Changes go on meanwhile, whether it still knows of
    /// this comparison or not.
    wanted: BTreeSet<SessionKey>,
    /// What the donor lacks of what this joiner has.
    brought: Vec<SessionKey>,
    /// The other side has paid.
    paid: bool,
    /// What this side told then.
    due: Due,
    progress_at: Instant,
    /// Without progress for so long it begins again, and then waits twice as long: on a slow link an
    /// answer must have the time to come.
    patience: Duration,
}

/// The end of a comparison that this node began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Everything that the member had is here, and the other way round it is on its way, or there if this node is joining.
    Compared(Boot),
    /// The member lacks some itself.
    Refused(Boot),
}

/// A listing that this node sent, until the other side has said what it wants.
#[derive(Debug)]
pub(super) struct Answering {
    round: u32,
    /// Birth marks from before the listing.
    marks: Vec<(Boot, u64)>,
    pieces: u32,
}

impl Shard {
    /// Begins to compare with a member; `joining`: this node wants the state to begin with.
    pub(crate) fn compare(&mut self, with: Boot, joining: bool, now: Instant, fx: &mut Vec<Effect>) {
        if !self.lanes.contains_key(&with) {
            return;
        }
        self.round_number += 1;
        let round = Round {
            number: self.round_number,
            joining,
            was_empty: self.table.len() == 0,
            listed: BTreeMap::new(),
            next_piece: 0,
            wanted: BTreeSet::new(),
            brought: Vec::new(),
            paid: false,
            due: Due::default(),
            progress_at: now,
            patience: self.settings.timing.ack_timeout * 2,
        };
        self.rounds.insert(with, round);
        self.news.retain(|news| *news != News::Compared(with));
        let digest = Digest {
            shard: self.number,
            round: self.round_number,
            sessions: self.held() as u64,
            fingerprint: self.fingerprint(),
            joining,
        };
        send(fx, with, wire::encode(&digest));
        if !self.donates && !self.tombstones.is_empty() && self.settings.plant != Plant::TransferWithoutEnds {
            // Who comes back tells what ended on its side: others may come back with a copy of it.
            self.owe(with, Walk::Ends(None));
            self.pump(with, now, fx);
        }
    }

    fn fingerprint(&self) -> u64 {
        let stubs = self.stubs.values().map(Stub::fingerprint);
        self.table.iter().map(Session::fingerprint).chain(stubs).fold(0, u64::wrapping_add)
    }

    /// Comparisons that make no progress begin again: any of their frames may be lost.
    pub(super) fn retry_rounds(&mut self, now: Instant, fx: &mut Vec<Effect>) {
        let is_late = |round: &Round| !round.paid && now.since(round.progress_at) >= round.patience;
        let late = self.rounds.iter().filter(|(_, round)| is_late(round));
        let late: Vec<(Boot, bool, Duration)> =
            late.map(|(boot, round)| (*boot, round.joining, round.patience)).collect();
        for (boot, joining, patience) in late {
            self.compare(boot, joining, now, fx);
            if let Some(round) = self.rounds.get_mut(&boot) {
                round.patience = (patience * 2).min(PATIENCE_MAX);
            }
        }
    }

    /// A copy came from this member. If it is one that was asked for, the comparison is alive.
    pub(super) fn note_progress(&mut self, from: Boot, key: SessionKey, now: Instant) {
        if let Some(round) = self.rounds.get_mut(&from)
            && (round.was_empty || round.wanted.contains(&key))
        {
            round.progress_at = now;
        }
    }

    pub(crate) fn on_digest(&mut self, from: Boot, digest: &Digest, now: Instant, fx: &mut Vec<Effect>) {
        if !self.lanes.contains_key(&from) {
            return;
        }
        if digest.joining && !self.donates {
            send(fx, from, wire::encode(&NotDonor { shard: self.number, round: digest.round }));
            return;
        }
        let equal = digest.sessions == self.held() as u64 && digest.fingerprint == self.fingerprint();
        if digest.sessions == 0 {
            self.pay(from, digest.round, self.current_marks());
            self.owe(from, Walk::Sessions(0));
        } else if equal {
            self.pay(from, digest.round, self.current_marks());
        } else {
            self.list(from, digest.round, fx);
        }
        if digest.joining && digest.sessions > 0 && self.settings.plant != Plant::TransferWithoutEnds {
            self.owe(from, Walk::Ends(None));
        }
        self.pump(from, now, fx);
    }

    fn owe(&mut self, to: Boot, walk: Walk) {
        if let Some(lane) = self.lanes.get_mut(&to)
            && !matches!(lane.walk, Some(Walk::Sessions(_)))
        {
            lane.walk = Some(walk);
        }
    }

    fn pay(&mut self, to: Boot, round: u32, marks: Vec<(Boot, u64)>) {
        if let Some(lane) = self.lanes.get_mut(&to) {
            lane.payment = Some(Payment { round, marks, due: Due::default() });
        }
    }

    fn list(&mut self, to: Boot, round: u32, fx: &mut Vec<Effect>) {
        let marks = self.current_marks();
        let stubs = self.stubs.values().map(|stub| entry(&stub.hollow, stub.fingerprint()));
        let resident = self.table.iter().map(|session| entry(session, session.fingerprint()));
        let entries: Vec<Entry> = resident.chain(stubs).collect();
        let Some(lane) = self.lanes.get_mut(&to) else { return };
        lane.answering = Some(Answering { round, marks, pieces: 0 });
        let shard = self.number;
        for (piece, last, entries) in pieces(&entries) {
            send(fx, to, wire::encode(&Listing { shard, round, piece, last, entries: entries.to_vec() }));
        }
    }

    pub(crate) fn on_listing(&mut self, from: Boot, listing: Listing, now: Instant, fx: &mut Vec<Effect>) {
        let expected =
            |round: &&mut Round| round.number == listing.round && round.next_piece == listing.piece;
        let Some(round) = self.rounds.get_mut(&from).filter(expected) else { return };
        round.next_piece += 1;
        round.progress_at = now;
        round.listed.extend(listing.entries.into_iter().map(|entry| (SessionKey(entry.key), entry)));
        if listing.last {
            let listed = std::mem::take(&mut round.listed);
            self.resolve(from, listing.round, &listed, now, fx);
        }
    }

    /// Owes what the other side lacks, and asks for what is lacking here.
    fn resolve(
        &mut self,
        with: Boot,
        round: u32,
        listed: &BTreeMap<SessionKey, Entry>,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) {
        let differs = |(key, fingerprint): (SessionKey, u64)| {
            let equal = listed.get(&key).is_some_and(|entry| entry.fingerprint == fingerprint);
            (!equal).then_some(key)
        };
        let stubs = self.stubs.iter().map(|(key, stub)| (*key, stub.fingerprint()));
        let resident = self.table.iter().map(|session| (session.key, session.fingerprint()));
        let mut owed: Vec<SessionKey> = resident.chain(stubs).filter_map(differs).collect();
        let mut wanted: Vec<_> = owed.iter().filter(|key| listed.contains_key(key)).copied().collect();
        if let Some(round) = self.rounds.get_mut(&with).filter(|round| round.joining) {
            round.brought = owed.iter().filter(|key| !listed.contains_key(key)).copied().collect();
        }
        for (key, entry) in listed {
            if self.known(*key).is_some() {
                continue;
            }
            let birth = birth(entry.birth_boot, entry.birth_number);
            let covered = self.marks.covers(birth) && self.settings.plant != Plant::EndForgottenEarly;
            if !self.tombstones.contains_key(key) && covered {
                self.tombstones.insert(*key, Tombstone::unknown(birth, now));
            }
            if self.tombstones.contains_key(key) {
                owed.push(*key);
            } else {
                wanted.push(*key);
            }
        }
        let lacking = wanted.iter().filter(|key| !self.table.contains(**key)).count();
        self.tally.repaired += (owed.len() + lacking) as u64;
        if let Some(lane) = self.lanes.get_mut(&with) {
            owed.into_iter().for_each(|key| lane.owe(key, []));
        }
        if let Some(round) = self.rounds.get_mut(&with) {
            round.wanted = wanted.iter().copied().collect();
        }
        let keys: Vec<ByteArray<16>> = wanted.into_iter().map(|key| key.0.into()).collect();
        let shard = self.number;
        for (piece, last, keys) in pieces(&keys) {
            send(fx, with, wire::encode(&Want { shard, round, piece, last, keys: keys.to_vec() }));
        }
        self.pump(with, now, fx);
    }

    pub(crate) fn on_want(&mut self, from: Boot, want: &Want, now: Instant, fx: &mut Vec<Effect>) {
        let Some(lane) = self.lanes.get_mut(&from) else { return };
        let expected = |answer: &&mut Answering| answer.round == want.round && answer.pieces == want.piece;
        let Some(answering) = lane.answering.as_mut().filter(expected) else { return };
        answering.pieces += 1;
        want.keys.iter().for_each(|key| lane.owe(SessionKey(**key), []));
        if want.last
            && let Some(answered) = lane.answering.take()
        {
            self.pay(from, answered.round, answered.marks);
        }
        self.pump(from, now, fx);
    }

    /// Says so when a round's debts have all been acknowledged.
    pub(super) fn report_paid(&mut self, to: Boot, fx: &mut Vec<Effect>) {
        let Some(payment) = self.lanes.get_mut(&to).and_then(Lane::settle_payment) else { return };
        let late = self.settings.plant == Plant::MarksTooLate;
        let marks = if late { self.current_marks() } else { payment.marks };
        let marks = marks.iter().map(|(boot, number)| Mark { boot: boot.0, number: *number });
        let paid = Paid { shard: self.number, round: payment.round, marks: marks.collect() };
        send(fx, to, wire::encode(&paid));
    }

    /// The other side has paid. Its birth marks hold here from this very step on, never earlier: what it
    /// had under them is here now, or has ended.
    pub(crate) fn on_paid(&mut self, from: Boot, paid: &Paid, now: Instant, fx: &mut Vec<Effect>) {
        let asked = |round: &&mut Round| round.number == paid.round && !round.paid;
        let Some(round) = self.rounds.get_mut(&from).filter(asked) else { return };
        round.paid = true;
        let brought = std::mem::take(&mut round.brought);
        if round.was_empty && !round.joining {
            self.tally.repaired += self.table.len() as u64;
        }
        self.lead_in(brought, now, fx);
        for mark in &paid.marks {
            self.marks.adopt(Boot(mark.boot), mark.number);
        }
        self.finish_round(from);
    }

    /// The comparison is over when the other side has paid and, where this node is on its way in, has all that it was
    /// told: once this node is ready, nobody may answer without it.
    pub(super) fn finish_round(&mut self, with: Boot) {
        let (Some(round), Some(lane)) = (self.rounds.get_mut(&with), self.lanes.get(&with)) else { return };
        if round.paid && (self.donates || lane.has_acknowledged(&mut round.due)) {
            self.rounds.remove(&with);
            self.news.push(News::Compared(with));
        }
    }

    /// What this joiner had, the donor had not, and none of the donor's ends ended, is the cluster's from now on as this node
    /// remembers it. So it gets the lead that a founder's sessions have: a member that knows more may only be stopped.
    fn lead_in(&mut self, mut brought: Vec<SessionKey>, now: Instant, fx: &mut Vec<Effect>) {
        brought.retain(|key| self.known(*key).is_some());
        for key in brought {
            self.touch(key, Session::take_lead);
            self.owe_all(key);
        }
        self.pump_all(now, fx);
    }

    pub(crate) fn on_not_donor(&mut self, from: Boot, refusal: NotDonor) {
        if self.rounds.get(&from).is_some_and(|round| round.number == refusal.round) {
            self.rounds.remove(&from);
            self.news.push(News::Refused(from));
        }
    }

    fn current_marks(&self) -> Vec<(Boot, u64)> {
        if self.settings.plant == Plant::TransferWithoutEnds {
            Vec::new()
        } else {
            self.marks.iter().collect()
        }
    }
}

fn entry(session: &Session, fingerprint: u64) -> Entry {
    Entry {
        key: session.key.0,
        fingerprint,
        birth_boot: session.birth().boot.0,
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
