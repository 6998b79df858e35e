//! Comparisons with members: those that this shard began, and those that it answers (section 6 of PROTOCOL.md).
//!
//! One side sends a digest. If the digests differ, the other side lists its sessions; the first side then sends what the
//! list lacks and asks for what itself lacks. The other side says `synced` when all of that is acknowledged.
//!
//! * Of each member at most one comparison is begun here, and one is answered. A later one replaces it; frames of a round
//!   that was replaced are ignored.
//! * Pieces of a list are taken in their order only.
//!
//! Must not know what sessions are here, nor how frames are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::shard::in_flight::Watermark;
use crate::wire::{Entry, Listing, Want};
use crate::{Incarnation, Instant, SessionKey};

/// The longest time after which a comparison without progress is begun again.
const PATIENCE_MAX: Duration = Duration::from_secs(16);

/// How a comparison that this node began came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ComparisonOutcome {
    /// All that the member had is here. What this node had is on the way to it, or there if this node is joining.
    Completed(Incarnation),
    /// The member lacks some sessions itself.
    Declined(Incarnation),
}

/// Birth marks as they travel.
pub(crate) type Marks = Vec<(Incarnation, u64)>;

/// How a comparison begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning {
    /// This node wants the state to join with.
    pub(crate) joining: bool,
    /// This side has no session: it gets everything, without a list.
    pub(crate) was_empty: bool,
    /// Without progress for so long it begins again, and then waits twice as long: on a slow link an answer must have the
    /// time to come.
    pub(crate) patience: Duration,
}

/// A comparison that this node began.
#[derive(Debug)]
struct Begun {
    round: u32,
    beginning: Beginning,
    listed: BTreeMap<SessionKey, Entry>,
    next_piece: u32,
    /// The sessions that the other side was asked for. Only their arrival is progress: changes arrive in any case.
    wanted: BTreeSet<SessionKey>,
    /// Sessions of this joiner that the donor lacks.
    brought: Vec<SessionKey>,
    /// The other side has synced.
    synced: bool,
    /// The sessions that were to be sent then are acknowledged.
    watermark: Watermark,
    progress_at: Instant,
}

/// The findings of a comparison that synced.
#[derive(Debug)]
pub(crate) struct SyncedComparison {
    pub(crate) beginning: Beginning,
    /// Sessions that this joiner had, and the donor had not.
    pub(crate) brought: Vec<SessionKey>,
}

/// A listing that another member was sent, until it has said in pieces what it wants.
#[derive(Debug)]
struct Listed {
    round: u32,
    /// This node's birth marks from before the listing (rule 7.9).
    marks: Marks,
    pieces: u32,
}

/// A comparison that another member began, and that has synced once this side's backlog to it is acknowledged (rule 6.2).
#[derive(Debug)]
struct Syncing {
    round: u32,
    marks: Marks,
    watermark: Watermark,
}

/// The comparisons of one shard, by member.
#[derive(Debug, Default)]
pub(crate) struct Comparisons {
    begun: BTreeMap<Incarnation, Begun>,
    last_round: u32,
    listed: BTreeMap<Incarnation, Listed>,
    syncing: BTreeMap<Incarnation, Syncing>,
    /// Since the node took them.
    outcomes: Vec<ComparisonOutcome>,
}

/// The comparisons that this side began.
impl Comparisons {
    /// Begins a comparison, and gives its round. The outcome of an earlier one with this member counts no more.
    pub(crate) fn begin(&mut self, with: Incarnation, beginning: Beginning, now: Instant) -> u32 {
        self.last_round += 1;
        let begun = Begun {
            round: self.last_round,
            beginning,
            listed: BTreeMap::new(),
            next_piece: 0,
            wanted: BTreeSet::new(),
            brought: Vec::new(),
            synced: false,
            watermark: Watermark::default(),
            progress_at: now,
        };
        self.begun.insert(with, begun);
        self.outcomes.retain(|outcome| *outcome != ComparisonOutcome::Completed(with));
        self.last_round
    }

    /// Comparisons without progress for too long, and how each is to begin again: any of its frames may be lost (rule 6.8).
    pub(crate) fn late(&self, now: Instant) -> Vec<(Incarnation, Beginning)> {
        let is_late =
            |begun: &Begun| !begun.synced && now.since(begun.progress_at) >= begun.beginning.patience;
        let late = self.begun.iter().filter(|(_, begun)| is_late(begun));
        let again = |beginning: Beginning| {
            let patience = (beginning.patience * 2).min(PATIENCE_MAX);
            Beginning { patience, ..beginning }
        };
        late.map(|(with, begun)| (*with, again(begun.beginning))).collect()
    }

    /// A copy came from this member. If it was asked for, the comparison makes progress.
    pub(crate) fn note_copy(&mut self, from: Incarnation, key: SessionKey, now: Instant) {
        if let Some(begun) = self.begun.get_mut(&from)
            && (begun.beginning.was_empty || begun.wanted.contains(&key))
        {
            begun.progress_at = now;
        }
    }

    /// Takes the next piece of a listing; with the last piece gives the whole of it.
    pub(crate) fn listing(
        &mut self,
        from: Incarnation,
        listing: Listing,
        now: Instant,
    ) -> Option<BTreeMap<SessionKey, Entry>> {
        let is_next = |begun: &&mut Begun| begun.round == listing.round && begun.next_piece == listing.piece;
        let begun = self.begun.get_mut(&from).filter(is_next)?;
        begun.next_piece += 1;
        begun.progress_at = now;
        begun.listed.extend(listing.entries.into_iter().map(|entry| (SessionKey(entry.key), entry)));
        listing.last.then(|| std::mem::take(&mut begun.listed))
    }

    /// The other side is asked for `wanted`; of what it is sent it does not know `brought`.
    pub(crate) fn resolved(&mut self, with: Incarnation, wanted: &[SessionKey], brought: Vec<SessionKey>) {
        let Some(begun) = self.begun.get_mut(&with) else { return };
        begun.wanted = wanted.iter().copied().collect();
        if begun.beginning.joining {
            begun.brought = brought;
        }
    }

    /// The other side has synced; nothing if it said so before, or of another round.
    pub(crate) fn synced(&mut self, from: Incarnation, round: u32) -> Option<SyncedComparison> {
        let begun = self.begun.get_mut(&from).filter(|begun| begun.round == round && !begun.synced)?;
        begun.synced = true;
        Some(SyncedComparison { beginning: begun.beginning, brought: std::mem::take(&mut begun.brought) })
    }

    /// Completes a comparison that has synced, if `is_acknowledged`: the other side has all that it was to be sent.
    pub(crate) fn complete(
        &mut self,
        with: Incarnation,
        is_acknowledged: impl FnOnce(&mut Watermark) -> bool,
    ) {
        let Some(begun) = self.begun.get_mut(&with) else { return };
        if begun.synced && is_acknowledged(&mut begun.watermark) {
            self.begun.remove(&with);
            self.outcomes.push(ComparisonOutcome::Completed(with));
        }
    }

    /// The other side lacks some itself.
    pub(crate) fn declined(&mut self, by: Incarnation, round: u32) {
        if self.begun.get(&by).is_some_and(|begun| begun.round == round) {
            self.begun.remove(&by);
            self.outcomes.push(ComparisonOutcome::Declined(by));
        }
    }

    pub(crate) fn take_outcomes(&mut self) -> Vec<ComparisonOutcome> {
        std::mem::take(&mut self.outcomes)
    }
}

/// The comparisons that this side answers.
impl Comparisons {
    /// A member was sent the list of this shard's sessions.
    pub(crate) fn sent_listing(&mut self, to: Incarnation, round: u32, marks: Marks) {
        self.listed.insert(to, Listed { round, marks, pieces: 0 });
    }

    /// Whether a piece of what a member wants is the next one. After the last piece `synced` is promised.
    pub(crate) fn want(&mut self, from: Incarnation, want: &Want) -> bool {
        let is_next = |listed: &&mut Listed| listed.round == want.round && listed.pieces == want.piece;
        let Some(listed) = self.listed.get_mut(&from).filter(is_next) else { return false };
        listed.pieces += 1;
        if want.last
            && let Some(Listed { round, marks, .. }) = self.listed.remove(&from)
        {
            self.promise_synced(from, round, marks);
        }
        true
    }

    /// The member gets `synced` once it has acknowledged the backlog to it.
    pub(crate) fn promise_synced(&mut self, to: Incarnation, round: u32, marks: Marks) {
        self.syncing.insert(to, Syncing { round, marks, watermark: Watermark::default() });
    }

    /// Takes the round that has synced, and the birth marks that go with it.
    pub(crate) fn take_synced(
        &mut self,
        to: Incarnation,
        is_acknowledged: impl FnOnce(&mut Watermark) -> bool,
    ) -> Option<(u32, Marks)> {
        let syncing = self.syncing.get_mut(&to)?;
        if !is_acknowledged(&mut syncing.watermark) {
            return None;
        }
        self.syncing.remove(&to).map(|syncing| (syncing.round, syncing.marks))
    }

    /// The member is out.
    pub(crate) fn remove_member(&mut self, member: Incarnation) {
        self.begun.remove(&member);
        self.listed.remove(&member);
        self.syncing.remove(&member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: Incarnation = Incarnation(2);
    const KEY: SessionKey = SessionKey([1; 16]);

    fn at(millis: u64) -> Instant {
        Instant::after_origin(Duration::from_millis(millis))
    }

    fn begun(joining: bool, was_empty: bool) -> (Comparisons, u32) {
        let mut comparisons = Comparisons::default();
        let beginning = Beginning { joining, was_empty, patience: Duration::from_millis(100) };
        let round = comparisons.begin(MEMBER, beginning, at(0));
        (comparisons, round)
    }

    fn piece(round: u32, piece: u32, last: bool) -> Listing {
        let entry = Entry { key: [piece as u8; 16], fingerprint: 1, birth_incarnation: 1, birth_number: 1 };
        Listing { shard: 0, round, piece, last, entries: vec![entry] }
    }

    #[test]
    fn a_listing_is_taken_in_the_order_of_its_pieces() {
        let (mut comparisons, round) = begun(false, false);
        assert!(comparisons.listing(MEMBER, piece(round, 1, true), at(1)).is_none(), "the first is missing");
        assert!(comparisons.listing(MEMBER, piece(round + 1, 0, true), at(1)).is_none(), "of another round");
        assert!(comparisons.listing(MEMBER, piece(round, 0, false), at(1)).is_none());
        assert!(comparisons.listing(MEMBER, piece(round, 0, false), at(1)).is_none(), "once more");
        assert_eq!(
            comparisons.listing(MEMBER, piece(round, 1, true), at(1)).map(|listed| listed.len()),
            Some(2)
        );
    }

    #[test]
    fn patience_doubles_and_only_what_was_wanted_is_progress() {
        let (mut comparisons, _) = begun(false, false);
        comparisons.resolved(MEMBER, &[KEY], Vec::new());
        comparisons.note_copy(MEMBER, SessionKey([9; 16]), at(90));
        assert_eq!(comparisons.late(at(100)).len(), 1);
        comparisons.note_copy(MEMBER, KEY, at(90));
        assert_eq!(comparisons.late(at(189)).len(), 0);
        let [(MEMBER, again)] = comparisons.late(at(190))[..] else { panic!("it is late") };
        assert_eq!(again.patience, Duration::from_millis(200));
        let longest = Beginning { patience: PATIENCE_MAX, ..again };
        comparisons.begin(MEMBER, longest, at(200));
        assert_eq!(comparisons.late(at(200_000))[0].1.patience, PATIENCE_MAX);
    }

    #[test]
    fn a_comparison_completes_once_when_both_sides_are_through() {
        let (mut comparisons, round) = begun(true, false);
        comparisons.resolved(MEMBER, &[], vec![KEY]);
        comparisons.complete(MEMBER, |_| true);
        assert!(comparisons.take_outcomes().is_empty(), "the other side has not synced");
        assert!(comparisons.synced(MEMBER, round + 1).is_none());
        assert_eq!(comparisons.synced(MEMBER, round).map(|synced| synced.brought), Some(vec![KEY]));
        assert!(comparisons.synced(MEMBER, round).is_none());
        comparisons.complete(MEMBER, |_| false);
        assert!(comparisons.take_outcomes().is_empty(), "the other side has not got all");
        (0..2).for_each(|_| comparisons.complete(MEMBER, |_| true));
        assert_eq!(comparisons.take_outcomes(), [ComparisonOutcome::Completed(MEMBER)]);
    }

    #[test]
    fn a_later_round_takes_an_outcome_back_that_was_not_noticed() {
        let (mut comparisons, round) = begun(false, true);
        assert!(comparisons.synced(MEMBER, round).is_some());
        comparisons.complete(MEMBER, |_| true);
        let beginning = Beginning { joining: false, was_empty: true, patience: Duration::ZERO };
        let later = comparisons.begin(MEMBER, beginning, at(1));
        comparisons.declined(MEMBER, round);
        assert!(comparisons.take_outcomes().is_empty());
        comparisons.declined(MEMBER, later);
        assert_eq!(comparisons.take_outcomes(), [ComparisonOutcome::Declined(MEMBER)]);
    }

    #[test]
    fn what_a_member_wants_is_taken_in_order_and_then_promised() {
        let mut comparisons = Comparisons::default();
        let want = |piece, last| Want { shard: 0, round: 4, piece, last, keys: Vec::new() };
        assert!(!comparisons.want(MEMBER, &want(0, true)), "nothing was listed");
        comparisons.sent_listing(MEMBER, 4, vec![(MEMBER, 9)]);
        assert!(!comparisons.want(MEMBER, &want(1, true)) && comparisons.want(MEMBER, &want(0, false)));
        assert!(comparisons.take_synced(MEMBER, |_| true).is_none(), "a piece is missing");
        assert!(comparisons.want(MEMBER, &want(1, true)) && !comparisons.want(MEMBER, &want(1, true)));
        assert!(comparisons.take_synced(MEMBER, |_| false).is_none());
        assert_eq!(comparisons.take_synced(MEMBER, |_| true), Some((4, vec![(MEMBER, 9)])));
        assert!(comparisons.take_synced(MEMBER, |_| true).is_none());
    }
}
