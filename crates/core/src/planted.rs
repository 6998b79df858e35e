//! Deliberate bugs, which the simulator and the test hosts plant into nodes and then demand to be found.
//!
//! To add a bug: give it the next number in [`Plant`] and a name in `planted/src/bugs.rs`; write `planted!`
//! (`planting.rs`) at its place, and what takes more than that line here. `sessile-sim --plants` then demands
//! that a checker finds it. A mutation is `planted!(settings, 1017)`, with a number that no bug has:
//! `sessile-sim --plant 1017` chooses it.

mod limits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::fields::{AUTH_TYPE, MAX_AGE, MAX_INACTIVE, PRINCIPAL};
use crate::marks::{Birth, BirthMarks};
use crate::secrets::is_valid;
use crate::session::Session;
use crate::shard::Notices;
use crate::shard::arrivals::Arrivals;
use crate::shard::in_flight::SentFrame;
use crate::shard::peer_stream::PeerStream;
use crate::shard::peers::Peers;
use crate::shard::questions::Questions;
use crate::shard::settling::Settling;
use crate::table::Table;
use crate::tombstone::Tombstone;
use crate::wire::{AckLine, Delta, Exception, FieldChange, PackedCopy, Snapshot};
use crate::{
    AppId, Codec, Effects, EndReason, Fields, Incarnation, Instant, NameRef, Position, SessionKey, Settings,
    Ticket, Timestamp, ValueRef,
};

pub use limits::{BOUNDS, Reached, SmallBounds, reached, set_small_bounds};
pub(crate) use limits::{forgets_early, limit};

/// A deliberate bug by its number. Each leaves out one rule of PROTOCOL.md.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plant(pub u32);

impl Plant {
    /// No bug.
    pub const NONE: Self = Self(0);
    /// The writer in a timestamp is made from the node's name, so a restarted node reissues timestamps.
    pub const WRITER_IS_NAME: Self = Self(1);
    /// The timestamp is taken when a request opens the session, not under the lock at commit.
    pub const TIMESTAMP_AT_SET: Self = Self(2);
    /// The counter comes from the live fields, forgetting removed ones.
    pub const COUNTER_FROM_LIVE_FIELDS: Self = Self(3);
    /// An end is a write like any other: a later timestamp brings the session back.
    pub const END_COMPARED_BY_TIMESTAMP: Self = Self(4);
    /// A delta for an unknown session makes a copy of what came, is acknowledged, and the copy is taken for
    /// complete.
    pub const ACK_INCOMPLETE: Self = Self(5);
    /// A state transfer carries neither the ends nor the birth marks.
    pub const TRANSFER_WITHOUT_ENDS: Self = Self(6);
    /// Commits do not wait for a joining member, nor owe it what was staged before.
    pub const JOINER_NOT_AWAITED: Self = Self(7);
    /// After a member died the others do not compare what they hold.
    pub const BACKLOG_FORGOTTEN: Self = Self(8);
    /// A node answers without a lease.
    pub const NO_LEASE: Self = Self(9);
    /// Invalidate answers before the others know.
    pub const END_ASYNCHRONOUS: Self = Self(10);
    /// A frame beyond a gap is taken and acknowledged like the next one.
    pub const GAP_OVERLOOKED: Self = Self(11);
    /// A frame that is not taken is acknowledged without saying so.
    pub const REFUSAL_UNREPORTED: Self = Self(12);
    /// An acknowledgement is believed though an earlier one, and what it refused, has not come.
    pub const ACK_OUT_OF_ORDER: Self = Self(13);
    /// A field takes whatever arrives last.
    pub const MERGED_BY_ARRIVAL: Self = Self(14);
    /// A copy carries the session's clock as the timestamp of every field.
    pub const COPY_TIMESTAMPED_ANEW: Self = Self(15);
    /// A copy leaves out the marks of removed fields.
    pub const REMOVALS_NOT_COPIED: Self = Self(16);
    /// A delta does not raise the receiver's clock.
    pub const CLOCK_NOT_RAISED: Self = Self(17);
    /// A login tells the others the new secret and not the end of the old one.
    pub const OLD_SECRET_KEPT: Self = Self(18);
    /// A commit settles when the first member confirmed it.
    pub const SETTLES_ON_FIRST: Self = Self(19);
    /// A member that cannot be reached just now is not waited for.
    pub const UNLINKED_NOT_AWAITED: Self = Self(20);
    /// A response does not wait for the commit that it read.
    pub const READS_DO_NOT_WAIT: Self = Self(21);
    /// Content that comes back from the store replaces what arrived meanwhile.
    pub const RESTORE_OVERWRITES: Self = Self(22);
    /// A session is swapped out though a request has it open or a member lacks it.
    pub const SWAP_OUT_IN_USE: Self = Self(23);
    /// The first answer to a question decides.
    pub const FIRST_ANSWER_WINS: Self = Self(24);
    /// An idle session ends without asking anybody.
    pub const EXPIRES_ALONE: Self = Self(25);
    /// The time of the last use travels as the sender's clock shows it.
    pub const FOREIGN_CLOCK: Self = Self(26);
    /// A copy of an unknown session goes to the one that is stored next to where it would be.
    pub const NEIGHBOUR_TAKEN: Self = Self(27);
    /// Ends are forgotten once acknowledged, and birth marks are not looked at.
    pub const END_FORGOTTEN_EARLY: Self = Self(28);
    /// The birth marks of a state transfer are those of its end.
    pub const MARKS_TOO_LATE: Self = Self(29);
    /// A joiner compares with nobody but its donor.
    pub const JOINER_TRUSTS_DONOR: Self = Self(30);
    /// A process that was stopped judges others by the time it slept.
    pub const OWN_PAUSE_UNNOTICED: Self = Self(31);
    /// A listener is announced of every end twice.
    pub const NOTIFIED_TWICE: Self = Self(32);
    /// Of several copies in one frame only the first is taken, and the frame is acknowledged.
    pub const FIRST_COPY_ONLY: Self = Self(33);
    /// A copy leaves out system fields that this version does not know.
    pub const UNKNOWN_FIELD_DROPPED: Self = Self(34);
    /// A change of a kind that this version does not know is acknowledged like one that was taken.
    pub const UNKNOWN_CHANGE_TAKEN: Self = Self(35);
    /// A superseded secret shows the session as it is, with what was written after the change.
    pub const SUPERSEDED_SEES_ALL: Self = Self(36);
    /// A session whose content a store lost counts as ended by its birth.
    pub const LOST_COUNTS_AS_ENDED: Self = Self(37);
    /// Ends are forgotten though a member lacks them.
    pub const NEEDED_ENDS_FORGOTTEN: Self = Self(38);
    /// A node that returns is ready before the ends that refusals announced to it are there.
    pub const READY_BEFORE_THE_END: Self = Self(39);
    /// Sessions grow without a bound on the bytes of all.
    pub const GROWTH_UNBOUNDED: Self = Self(40);
    /// A session of which a newer copy had no room is served from the store.
    pub const BEHIND_SERVES: Self = Self(41);
    /// The end of a long request is announced to nobody.
    pub const CLOSE_IS_NO_USE: Self = Self(42);
    /// A use is announced once, in a frame that may be lost.
    pub const USE_NOT_ACKNOWLEDGED: Self = Self(43);
    /// After a goodbye nobody compares.
    pub const GOODBYE_NOT_COMPARED: Self = Self(44);
    /// A node that drains counts as complete though it lacks something.
    pub const DRAINING_IS_COMPLETE: Self = Self(45);
}

/// The bug of one node, and what it has to remember.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planted {
    plant: Plant,
    notes: Arc<Mutex<Notes>>,
}

/// The memory of planted bugs.
#[derive(Debug, Default)]
struct Notes {
    /// Clocks of sessions as a request opened them.
    opened_clocks: BTreeMap<SessionKey, u64>,
    /// Members that have joined and are not seen serving yet.
    joiners: BTreeSet<Incarnation>,
}

impl Planted {
    pub(crate) fn with(plant: Plant) -> Self {
        Self { plant, ..Self::default() }
    }

    pub(crate) fn is(&self, plant: Plant) -> bool {
        self.plant == plant
    }
}

/// The writer in this node's timestamps.
pub(crate) fn writer(settings: &Settings) -> Incarnation {
    if !planted!(settings, WRITER_IS_NAME) {
        return settings.incarnation;
    }
    let hash = blake3::hash(settings.name.as_bytes());
    let [a, b, c, ..] = *hash.as_bytes();
    Incarnation(u32::from_le_bytes([a, b, c, 0]))
}

/// A request opened a session of this clock.
pub(crate) fn note_opened(settings: &Settings, key: SessionKey, clock: u64) {
    settings.planted.notes.lock().opened_clocks.insert(key, clock);
}

/// The clock that a commit advances.
pub(crate) fn commit_clock(settings: &Settings, session: &Session) -> u64 {
    match settings.planted.plant {
        Plant::TIMESTAMP_AT_SET => {
            let notes = settings.planted.notes.lock();
            notes.opened_clocks.get(&session.key).copied().unwrap_or(session.clock)
        }
        Plant::COUNTER_FROM_LIVE_FIELDS => {
            let live = session.fields.all().filter(|field| field.value.is_some());
            live.map(|field| field.timestamp.counter).max().unwrap_or(0)
        }
        _ => session.clock,
    }
}

/// Whether commits wait for a member that joins now, and for what was staged before.
pub(crate) fn awaits_joiner(settings: &Settings, joiner: Incarnation) -> bool {
    let leaves_out = planted!(settings, JOINER_NOT_AWAITED);
    if leaves_out {
        settings.planted.notes.lock().joiners.insert(joiner);
    }
    !leaves_out
}

/// A member says whether it serves.
pub(crate) fn note_serving(settings: &Settings, member: Incarnation, serves: bool) {
    if serves {
        settings.planted.notes.lock().joiners.remove(&member);
    }
}

/// Whether commits wait for a member.
pub(crate) fn is_awaited(
    settings: &Settings,
    is_awaited: bool,
    member: Incarnation,
    stream: Option<&PeerStream>,
) -> bool {
    is_awaited
        && match settings.planted.plant {
            Plant::JOINER_NOT_AWAITED => !settings.planted.notes.lock().joiners.contains(&member),
            Plant::UNLINKED_NOT_AWAITED => stream.is_some_and(|stream| stream.linked),
            _ => true,
        }
}

/// The fields of a delta that the others are sent.
pub(crate) fn announced<'b>(settings: &Settings, mut fields: Vec<FieldChange<'b>>) -> Vec<FieldChange<'b>> {
    if planted!(settings, OLD_SECRET_KEPT) {
        let is_old = |field: &FieldChange<'_>| {
            NameRef::from(field.name).is_secret()
                && !field.value.is_some_and(|bytes| is_valid(ValueRef::new(Codec(field.codec), bytes)))
        };
        fields.retain(|field| !is_old(field));
    }
    fields
}

/// The view of a superseded secret.
pub(crate) fn shown(settings: &Settings, session: &Session, view: Fields) -> Fields {
    if planted!(settings, SUPERSEDED_SEES_ALL) { session.fields.clone() } else { view }
}

/// A copy as members get it.
pub(crate) fn sent_copy<'s>(settings: &Settings, session: &'s Session, now: Instant) -> Snapshot<'s> {
    let mut copy = session.snapshot(now);
    match settings.planted.plant {
        Plant::COPY_TIMESTAMPED_ANEW => copy.fields.iter_mut().for_each(|field| {
            (field.counter, field.writer) = (session.clock, settings.incarnation.0);
        }),
        Plant::REMOVALS_NOT_COPIED => copy.fields.retain(|field| field.value.is_some()),
        Plant::UNKNOWN_FIELD_DROPPED => copy.fields.retain(|field| is_known(field.name)),
        Plant::FOREIGN_CLOCK => copy.idle_ms = session.used_at().as_micros() / 1_000,
        _ => {}
    }
    copy
}

/// An attribute, or a system field of this version.
fn is_known(name: NameRef<'_>) -> bool {
    let system = [MAX_INACTIVE, MAX_AGE, PRINCIPAL, AUTH_TYPE];
    !name.is_system() || name.is_secret() || system.iter().any(|known| name == *known)
}

/// Whether copies may go together. What [`sent_copy`] changes, it can change only where fields go one by one.
pub(crate) fn packs_copies(settings: &Settings, takes_several: bool) -> bool {
    takes_several
        && !matches!(
            settings.planted.plant,
            Plant::COPY_TIMESTAMPED_ANEW
                | Plant::REMOVALS_NOT_COPIED
                | Plant::UNKNOWN_FIELD_DROPPED
                | Plant::FOREIGN_CLOCK
        )
}

/// A copy as it is received.
pub(crate) fn received_copy(
    settings: &Settings,
    session: Option<Session>,
    snapshot: &Snapshot<'_>,
    frame: &Bytes,
    now: Instant,
) -> Option<Session> {
    if !planted!(settings, FOREIGN_CLOCK) {
        return session;
    }
    let used_at = Instant::after_origin(Duration::from_millis(snapshot.idle_ms));
    let snapshot = Snapshot { idle_ms: crate::session::millis(now.since(used_at)), ..snapshot.clone() };
    Session::from_snapshot(&snapshot, frame, now)
}

/// The copies of a frame that are taken.
pub(crate) fn taken_copies<'c, 'b>(
    settings: &Settings,
    copies: &'c [PackedCopy<'b>],
) -> &'c [PackedCopy<'b>] {
    let first_only = planted!(settings, FIRST_COPY_ONLY);
    if first_only { &copies[..copies.len().min(1)] } else { copies }
}

/// The session to which a copy goes.
pub(crate) fn copy_key(settings: &Settings, table: &Table, key: SessionKey) -> SessionKey {
    if !planted!(settings, NEIGHBOUR_TAKEN) {
        return key;
    }
    let later = table.iter().map(|session| session.key).filter(|known| *known >= key);
    later.min().unwrap_or(key)
}

/// Makes a copy from a delta alone.
pub(crate) fn keep_incomplete(table: &mut Table, key: SessionKey, now: Instant) {
    if !table.contains(key) {
        let mut session = Session::new(key, AppId::default(), Birth::default(), now);
        session.clock = u64::from(u32::MAX);
        table.insert(session);
    }
}

/// The timestamp with which a delta is merged: above whatever its fields have.
pub(crate) fn merge_timestamp(settings: &Settings, session: &Session, delta: &Delta<'_>) -> Timestamp {
    let timestamp = delta.timestamp();
    if !planted!(settings, MERGED_BY_ARRIVAL) {
        return timestamp;
    }
    let ours = delta.fields.iter().filter_map(|field| session.fields.find(NameRef::from(field.name)));
    let above = ours.map(|field| Timestamp::new(field.timestamp.counter + 1, timestamp.incarnation));
    above.fold(timestamp, Timestamp::max)
}

/// The frames that an acknowledgement takes.
pub(crate) fn acknowledge(
    settings: &Settings,
    stream: &mut PeerStream,
    line: AckLine,
    now: Instant,
) -> Option<Vec<(SentFrame, Vec<Exception>)>> {
    let first = if planted!(settings, ACK_OUT_OF_ORDER) { 0 } else { line.first };
    stream.in_flight.acknowledge(&AckLine { first, ..line }, now)
}

/// Counts what is missing before a frame as processed.
pub(crate) fn overlook_gap(arrivals: &mut Arrivals, position: Position) {
    if arrivals.is_ahead(position) {
        for sequence in 0..position.sequence {
            arrivals.judge(Position { sequence, ..position }, &Bytes::new(), Instant::ORIGIN);
        }
    }
}

/// A commit waits for no member but the one that confirms it.
pub(crate) fn await_only(
    settling: &mut Settling,
    peers: &Peers,
    ticket: Ticket,
    member: Incarnation,
    effects: &mut Effects,
) {
    for other in peers.members().filter(|other| *other != member) {
        settling.give_up(ticket, other, effects);
    }
}

/// The members that are asked about a session.
pub(crate) fn asked(
    settings: &Settings,
    members: BTreeSet<Incarnation>,
    expiry: bool,
) -> BTreeSet<Incarnation> {
    if expiry && planted!(settings, EXPIRES_ALONE) { BTreeSet::new() } else { members }
}

/// A question waits for no further answer.
pub(crate) fn await_nobody(questions: &mut Questions, key: SessionKey) {
    let Some(question) = questions.unanswered(key) else { return };
    let (id, members) = (question.id, question.members.clone());
    for member in members {
        questions.answer(key, id, member);
    }
}

/// Whether birth marks say that a session was here: mutation 1001 never asks them.
pub(crate) fn covered(settings: &Settings, marks: &BirthMarks, birth: Birth) -> bool {
    marks.covers(birth) && !planted!(settings, END_FORGOTTEN_EARLY) && !planted!(settings, 1001)
}

/// How long an end is remembered.
pub(crate) fn kept_for(settings: &Settings, end: &Tombstone, least: Duration) -> Duration {
    let early = planted!(settings, END_FORGOTTEN_EARLY) || forgets_early();
    if early { least / 4 } else { end.keep.max(least) }
}

/// Notifies listeners of an end once more.
pub(crate) fn notify_again(
    notices: &mut Notices,
    session: &Session,
    reason: EndReason,
    remote: bool,
    effects: &mut Effects,
) {
    notices.ended(session, reason, remote, effects);
}

/// Whether the content of a session may be swapped out.
pub(crate) fn may_swap_out(settings: &Settings, may_go: bool, table: &Table, key: SessionKey) -> bool {
    may_go || planted!(settings, SWAP_OUT_IN_USE) && table.contains(key)
}

/// The lease of this node's own that a removal waits for: mutations 1004 and 1006 wait for none.
pub(crate) fn awaited_lease(settings: &Settings) -> Duration {
    let ignores_grant = planted!(settings, 1004) || planted!(settings, 1006);
    if ignores_grant { Duration::ZERO } else { settings.timing.granted_lease() }
}

/// How old the last echo of a member may be that is granted a lease: mutations 1005 and 1006 always grant
/// one.
pub(crate) fn granted_within(settings: &Settings) -> Duration {
    let always_grants = planted!(settings, 1005) || planted!(settings, 1006);
    if always_grants { Duration::MAX } else { settings.timing.grant_window() }
}

/// When a lease begins, if not when its heartbeat was sent: mutation 1011 takes the last tick.
pub(crate) fn wrong_lease(settings: &Settings, ticked_at: Instant) -> Option<Instant> {
    planted!(settings, 1011).then_some(ticked_at)
}
