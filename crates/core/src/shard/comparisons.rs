//! Comparisons with members: those that this shard began, and those that it answers (section 6 of
//! PROTOCOL.md).
//!
//! One side sends a digest. If the digests differ, the other side lists its sessions; the first side then
//! sends what the list lacks and asks for what itself lacks. The other side says `synced` when all of that is
//! acknowledged.
//!
//! * Of each member at most one comparison is begun here, and one is answered. A later one replaces it;
//!   frames of a round that was replaced are ignored.
//! * Pieces of a list are taken in their order only, and few are on the way (rule 6.10).
//!
//! Must not know what sessions are here, nor how frames are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::shard::in_flight::Watermark;
use crate::shard::listing::Place;
use crate::wire::{Listing, Want};
use crate::{Incarnation, Instant, SessionKey};

/// The longest time after which a comparison without progress is begun again.
const PATIENCE_MAX: Duration = Duration::from_secs(16);

/// Pieces of a listing that may be on the way.
const PIECES_MAX: u32 = 8;

/// How a comparison that this node began came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ComparisonOutcome {
    /// All that the member had is here. What this node had is on the way to it, or there if this node is
    /// joining.
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
    /// Without progress for so long it begins again, and then waits twice as long: on a slow link an answer
    /// must have the time to come.
    pub(crate) patience: Duration,
}

/// A comparison that this node began.
#[derive(Debug)]
struct Begun {
    round: u32,
    beginning: Beginning,
    /// The sessions that the other side has listed.
    listed: BTreeSet<SessionKey>,
    next_piece: u32,
    /// The listing is complete, and a walk looks for sessions here that it lacks.
    looking: Option<Place>,
    /// The sessions that the other side was asked for. Only their arrival is progress: changes arrive in any
    /// case.
    wanted: BTreeSet<SessionKey>,
    /// What it has not been asked for yet, and the piece of the want in which it will be.
    unasked: Vec<SessionKey>,
    next_want: u32,
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
    /// How far the listing has come, and in how many pieces.
    place: Place,
    sent: u32,
    /// Pieces of what the member wants.
    wants: u32,
}

/// A comparison that another member began, and that has synced once this side's backlog to it is acknowledged
/// (rule 6.2).
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
    /// Begins a comparison, and gives its round. The outcome of an earlier one with this member counts no
    /// more.
    pub(crate) fn begin(&mut self, with: Incarnation, beginning: Beginning, now: Instant) -> u32 {
        self.last_round += 1;
        let begun = Begun {
            round: self.last_round,
            beginning,
            listed: BTreeSet::new(),
            next_piece: 0,
            looking: None,
            wanted: BTreeSet::new(),
            unasked: Vec::new(),
            next_want: 0,
            brought: Vec::new(),
            synced: false,
            watermark: Watermark::default(),
            progress_at: now,
        };
        self.begun.insert(with, begun);
        self.outcomes.retain(|outcome| *outcome != ComparisonOutcome::Completed(with));
        self.last_round
    }

    /// Comparisons without progress for too long, and how each is to begin again: any of its frames may be
    /// lost (rule 6.8).
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

    /// Takes a piece of a listing; false if it is not the next one. After the last a walk looks for what the
    /// listing lacks.
    pub(crate) fn take_piece(&mut self, from: Incarnation, listing: &Listing, now: Instant) -> bool {
        let is_next = |begun: &&mut Begun| begun.round == listing.round && begun.next_piece == listing.piece;
        let Some(begun) = self.begun.get_mut(&from).filter(is_next) else { return false };
        begun.next_piece += 1;
        begun.progress_at = now;
        begun.listed.extend(listing.entries.iter().map(|entry| SessionKey(entry.key)));
        begun.looking = listing.last.then_some(Place::BEGIN);
        true
    }

    /// The other side is to be asked for these.
    pub(crate) fn wants(&mut self, with: Incarnation, wanted: &[SessionKey]) {
        if let Some(begun) = self.begun.get_mut(&with) {
            begun.wanted.extend(wanted);
            begun.unasked.extend(wanted);
        }
    }

    /// Round and number of the next piece of what is wanted, and what is in it.
    pub(crate) fn want_to_send(&mut self, with: Incarnation) -> Option<(u32, u32, Vec<SessionKey>)> {
        let begun = self.begun.get_mut(&with)?;
        begun.next_want += 1;
        Some((begun.round, begun.next_want - 1, std::mem::take(&mut begun.unasked)))
    }

    /// Members whose listing is complete, and may lack something that is here.
    pub(crate) fn looking(&self) -> Vec<Incarnation> {
        let looking = self.begun.iter().filter(|(_, begun)| begun.looking.is_some());
        looking.map(|(with, _)| *with).collect()
    }

    /// Where the walk for what a listing lacks goes on, if there is one.
    pub(crate) fn place_to_look(&self, with: Incarnation) -> Option<Place> {
        self.begun.get(&with)?.looking
    }

    /// The walk has come to `next`: gives those of `keys` that the listing lacks.
    pub(crate) fn looked(
        &mut self,
        with: Incarnation,
        keys: impl Iterator<Item = SessionKey>,
        next: Place,
        now: Instant,
    ) -> Vec<SessionKey> {
        let Some(begun) = self.begun.get_mut(&with) else { return Vec::new() };
        begun.progress_at = now;
        begun.looking = Some(next).filter(|next| *next != Place::End);
        let unlisted: Vec<SessionKey> = keys.filter(|key| !begun.listed.contains(key)).collect();
        if begun.beginning.joining {
            begun.brought.extend(&unlisted);
        }
        if next == Place::End {
            begun.listed = BTreeSet::new();
        }
        unlisted
    }

    /// The other side has synced; nothing if it said so before, or of another round.
    pub(crate) fn synced(&mut self, from: Incarnation, round: u32) -> Option<SyncedComparison> {
        let begun = self.begun.get_mut(&from).filter(|begun| begun.round == round && !begun.synced)?;
        begun.synced = true;
        Some(SyncedComparison { beginning: begun.beginning, brought: std::mem::take(&mut begun.brought) })
    }

    /// Completes a comparison that has synced, if `is_acknowledged`: the other side has all that it was to be
    /// sent.
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
    /// A member is to be sent the list of this shard's sessions.
    pub(crate) fn begin_listing(&mut self, to: Incarnation, round: u32, marks: Marks) {
        self.listed.insert(to, Listed { round, marks, place: Place::BEGIN, sent: 0, wants: 0 });
    }

    /// Round and number of the next piece of a listing, and where it begins; nothing if as many as may be are
    /// on the way.
    pub(crate) fn piece_to_send(&self, to: Incarnation) -> Option<(u32, u32, Place)> {
        let is_sendable = |listed: &&Listed| {
            listed.place != Place::End && listed.sent.saturating_sub(listed.wants) < PIECES_MAX
        };
        let listed = self.listed.get(&to).filter(is_sendable)?;
        Some((listed.round, listed.sent, listed.place))
    }

    /// The piece was sent; the next one begins at `next`.
    pub(crate) fn sent_piece(&mut self, to: Incarnation, next: Place) {
        if let Some(listed) = self.listed.get_mut(&to) {
            listed.sent += 1;
            listed.place = next;
        }
    }

    /// A walk over the sessions of this shard is under way: none may go where it has been.
    pub(crate) fn are_walking(&self) -> bool {
        self.listed.values().any(|listed| listed.place != Place::End)
            || self.begun.values().any(|begun| begun.looking.is_some())
    }

    /// Whether a piece of what a member wants is the next one. After the last piece `synced` is promised.
    pub(crate) fn want(&mut self, from: Incarnation, want: &Want) -> bool {
        let is_next = |listed: &&mut Listed| listed.round == want.round && listed.wants == want.piece;
        let Some(listed) = self.listed.get_mut(&from).filter(is_next) else { return false };
        listed.wants += 1;
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
    use crate::wire::Entry;

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
    fn a_listing_is_taken_in_the_order_of_its_pieces_and_then_what_it_lacks_is_looked_for() {
        let (mut comparisons, round) = begun(true, false);
        assert!(!comparisons.take_piece(MEMBER, &piece(round, 1, true), at(1)), "the first is missing");
        assert!(!comparisons.take_piece(MEMBER, &piece(round + 1, 0, true), at(1)), "of another round");
        assert!(comparisons.take_piece(MEMBER, &piece(round, 0, false), at(1)));
        assert!(!comparisons.take_piece(MEMBER, &piece(round, 0, false), at(1)), "once more");
        assert_eq!((comparisons.looking(), comparisons.are_walking()), (vec![], false));
        assert!(comparisons.take_piece(MEMBER, &piece(round, 1, true), at(1)));
        assert_eq!((comparisons.looking(), comparisons.are_walking()), (vec![MEMBER], true));
        let keys = || (0..4).map(|number| SessionKey([number; 16]));
        let unlisted = comparisons.looked(MEMBER, keys(), Place::Slots(4), at(2));
        assert_eq!(unlisted, [SessionKey([2; 16]), SessionKey([3; 16])]);
        assert_eq!(comparisons.place_to_look(MEMBER), Some(Place::Slots(4)));
        comparisons.looked(MEMBER, std::iter::empty(), Place::End, at(2));
        assert_eq!((comparisons.looking(), comparisons.place_to_look(MEMBER)), (vec![], None));
        assert_eq!(comparisons.synced(MEMBER, round).map(|synced| synced.brought), Some(unlisted));
    }

    #[test]
    fn a_few_pieces_of_a_listing_are_on_the_way_and_each_want_lets_another_go() {
        let mut comparisons = Comparisons::default();
        comparisons.begin_listing(MEMBER, 4, Vec::new());
        for sent in 0..PIECES_MAX {
            assert_eq!(comparisons.piece_to_send(MEMBER).map(|(_, piece, _)| piece), Some(sent));
            comparisons.sent_piece(MEMBER, Place::Slots(sent));
        }
        assert!(comparisons.piece_to_send(MEMBER).is_none() && comparisons.are_walking());
        assert!(comparisons.want(MEMBER, &Want { shard: 0, round: 4, piece: 0, last: false, keys: vec![] }));
        let (.., place) = comparisons.piece_to_send(MEMBER).unwrap();
        assert_eq!(place, Place::Slots(PIECES_MAX - 1));
        comparisons.sent_piece(MEMBER, Place::End);
        assert!(comparisons.piece_to_send(MEMBER).is_none() && !comparisons.are_walking());
    }

    #[test]
    fn patience_doubles_and_only_what_was_wanted_is_progress() {
        let (mut comparisons, _) = begun(false, false);
        comparisons.wants(MEMBER, &[KEY]);
        assert_eq!(comparisons.want_to_send(MEMBER), Some((1, 0, vec![KEY])));
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
        comparisons.looked(MEMBER, [KEY].into_iter(), Place::End, at(0));
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
        comparisons.begin_listing(MEMBER, 4, vec![(MEMBER, 9)]);
        assert!(!comparisons.want(MEMBER, &want(1, true)) && comparisons.want(MEMBER, &want(0, false)));
        assert!(comparisons.take_synced(MEMBER, |_| true).is_none(), "a piece is missing");
        assert!(comparisons.want(MEMBER, &want(1, true)) && !comparisons.want(MEMBER, &want(1, true)));
        assert!(comparisons.take_synced(MEMBER, |_| false).is_none());
        assert_eq!(comparisons.take_synced(MEMBER, |_| true), Some((4, vec![(MEMBER, 9)])));
        assert!(comparisons.take_synced(MEMBER, |_| true).is_none());
    }
}
