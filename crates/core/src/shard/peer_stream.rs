//! What goes from one shard to one member, and what came from it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::marks::Birth;
use crate::shard::compare::Answering;
use crate::shard::stored::FETCHING_MAX;
use crate::shard::window::Window;
use crate::wire::{AckLine, Exception, Position, Verdict};
use crate::{Incarnation, Instant, SessionKey, Ticket};

/// Sessions backlog to one member by name; beyond it the whole shard is backlog.
const BACKLOG_MAX: usize = 4096;

/// Frames of one member that wait for one before them.
const EARLY_FRAMES_MAX: usize = 64;

/// Bytes of these frames.
const EARLY_BYTES_MAX: usize = 1 << 20;

/// A frame that was sent and not acknowledged.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) sequence: u32,
    pub(crate) carried: Carried,
    pub(crate) bytes: usize,
    pub(crate) sent_at: Instant,
    /// Commits and ends that wait for it.
    pub(crate) waiters: Vec<Ticket>,
}

/// Of which sessions a frame carries something.
#[derive(Debug)]
pub(crate) enum Carried {
    /// A change, a copy or an end.
    One(SessionKey),
    /// Copies, in the order in which they are in the frame.
    Several(Box<[SessionKey]>),
}

impl Carried {
    pub(crate) fn keys(&self) -> &[SessionKey] {
        match self {
            Self::One(key) => std::slice::from_ref(key),
            Self::Several(keys) => keys,
        }
    }

    /// Those that a refusal is about: of one copy in the frame, or of all that is in it.
    pub(crate) fn refused(&self, copy: Option<u32>) -> &[SessionKey] {
        let keys = self.keys();
        match copy {
            Some(copy) => keys.get(copy as usize).map_or(&[], std::slice::from_ref),
            None => keys,
        }
    }
}

/// How far a walk over everything has come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Walk {
    /// The next slot of the table.
    Sessions(u32),
    /// The last one whose content was ordered from the store.
    Stubs(Option<SessionKey>),
    /// The last end that was sent.
    Ends(Option<SessionKey>),
}

/// A comparison that this member asked for, and that is answered once nothing is backlog to it.
#[derive(Debug)]
pub(crate) struct SyncReport {
    pub(crate) round: u32,
    /// This node's birth marks from before it began to pay.
    pub(crate) marks: Vec<(Incarnation, u64)>,
    pub(crate) due: AckTarget,
}

/// Everything before this position, an epoch and a sequence, must be acknowledged; nothing yet while something is still backlog, or
/// when it has to be sent again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AckTarget(Option<(u32, u32)>);

/// One member, as one shard deals with it.
#[derive(Debug)]
pub(crate) struct PeerStream {
    /// Frames can be sent.
    pub(crate) linked: bool,
    /// The link took no frame: nothing is tried until the next tick.
    paused: bool,
    /// Copies may go together: the member has refused none for not knowing the frame.
    pub(crate) takes_several: bool,
    epoch: u32,
    next: u32,
    pub(crate) in_flight: VecDeque<InFlight>,
    in_flight_bytes: usize,
    /// Of backlog copies; changes always go.
    window: Window,
    /// Bytes that were given up on the way, or had no room there, since the member last was backlog nothing.
    dropped_bytes: usize,
    progress_at: Instant,
    retried_at: Instant,
    /// Since when nothing was acknowledged, across retries.
    silent_since: Option<Instant>,
    /// Sessions whose copy or end must be sent, with those who wait for it.
    backlog: BTreeMap<SessionKey, Vec<Ticket>>,
    /// Those of them whose content is being fetched from the store.
    fetching: BTreeMap<SessionKey, Vec<Ticket>>,
    /// Sessions that no frame can carry as they are.
    too_long: BTreeSet<SessionKey>,
    pub(crate) walk: Option<Walk>,
    pub(crate) sync_report: Option<SyncReport>,
    /// A listing that it was sent.
    pub(super) answering: Option<Answering>,
    pub(crate) arrivals: Arrivals,
}

/// The other direction: what was processed and is not yet acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    epoch: u32,
    next: u32,
    acknowledged: u32,
    exceptions: Vec<Exception>,
    /// The sender was told that something is missing in this epoch.
    gap_reported: bool,
    /// Frames that came before their turn, by sequence: those before them are on their way, perhaps over another
    /// connection.
    early: BTreeMap<u32, Early>,
    early_bytes: usize,
}

/// A frame that waits for those before it.
#[derive(Debug)]
struct Early {
    frame: Bytes,
    came_at: Instant,
}

/// What to do with a frame that arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is the next one.
    Next,
    /// It is old, or of an abandoned epoch.
    Old,
    /// It is kept until what belongs before it has come.
    Early,
    /// Something before it is missing, and the sender has to be told.
    Gap,
}

impl PeerStream {
    /// `epoch` is above every one that this process used towards the member before.
    pub(crate) fn new(epoch: u32, now: Instant) -> Self {
        Self {
            linked: true,
            paused: false,
            takes_several: true,
            epoch,
            next: 0,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            window: Window::new(now),
            dropped_bytes: 0,
            progress_at: now,
            retried_at: now,
            silent_since: None,
            backlog: BTreeMap::new(),
            fetching: BTreeMap::new(),
            too_long: BTreeSet::new(),
            walk: None,
            sync_report: None,
            answering: None,
            arrivals: Arrivals::default(),
        }
    }

    /// Only copies of this session may go to the member, not changes.
    pub(crate) fn needs_copy(&self, key: SessionKey) -> bool {
        self.walk.is_some()
            || self.backlog.contains_key(&key)
            || self.fetching.contains_key(&key)
            || self.too_long.contains(&key)
    }

    /// Notes that the member must get a copy or the end of this session.
    pub(crate) fn add_to_backlog(&mut self, key: SessionKey, waiters: impl IntoIterator<Item = Ticket>) {
        self.backlog.entry(key).or_default().extend(waiters);
        if self.backlog.len() > BACKLOG_MAX {
            // Entries that somebody waits for stay: requests in progress bound them.
            self.backlog.retain(|_, waiters| !waiters.is_empty());
            self.backlog_everything();
        }
    }

    pub(crate) fn backlog_everything(&mut self) {
        self.walk = Some(Walk::Sessions(0));
    }

    pub(crate) fn take_from_backlog(&mut self, key: SessionKey) -> Vec<Ticket> {
        let mut waiters = self.backlog.remove(&key).unwrap_or_default();
        waiters.extend(self.fetching.remove(&key).unwrap_or_default());
        self.too_long.remove(&key);
        waiters
    }

    /// What is backlog cannot be sent before its content is back from the store.
    pub(crate) fn await_content(&mut self, key: SessionKey, waiters: Vec<Ticket>) {
        self.fetching.entry(key).or_default().extend(waiters);
    }

    /// The content will not come; who waited for it.
    pub(crate) fn give_up_content(&mut self, key: SessionKey) -> Vec<Ticket> {
        self.fetching.remove(&key).unwrap_or_default()
    }

    /// The content is here, or the session ended.
    pub(crate) fn content_came(&mut self, key: SessionKey) {
        if let Some(waiters) = self.fetching.remove(&key) {
            self.add_to_backlog(key, waiters);
        }
    }

    pub(crate) fn next_in_backlog(&self) -> Option<SessionKey> {
        self.backlog.keys().next().copied()
    }

    /// The next ones of them, up to the first that somebody waits for.
    pub(crate) fn backlog_without_waiters(&self) -> impl Iterator<Item = SessionKey> {
        let unawaited = self.backlog.iter().take_while(|(_, waiters)| waiters.is_empty());
        unawaited.map(|(key, _)| *key).take_while(|key| !self.fetching.contains_key(key))
    }

    /// These are sent, and nobody waited for them.
    pub(crate) fn remove_from_backlog(&mut self, keys: &[SessionKey]) {
        keys.iter().for_each(|key| drop(self.backlog.remove(key)));
    }

    /// Sessions of which the member may lack something.
    pub(crate) fn unconfirmed(&self) -> impl Iterator<Item = SessionKey> {
        self.in_flight
            .iter()
            .flat_map(|frame| frame.carried.keys())
            .copied()
            .chain(self.backlog.keys().chain(self.fetching.keys()).copied())
    }

    /// Something of this session is on the way to the member.
    pub(crate) fn is_sending(&self, key: SessionKey) -> bool {
        self.in_flight.iter().any(|frame| frame.carried.keys().contains(&key))
    }

    /// Changes can be sent as they are committed; otherwise their sessions are backlog.
    pub(crate) fn has_room(&self, staged_max: usize) -> bool {
        self.linked && !self.paused && self.in_flight_bytes < staged_max
    }

    /// A change of this size had no room and is backlog instead.
    pub(crate) fn give_up(&mut self, bytes: usize) {
        let before = if self.is_synced() { 0 } else { self.dropped_bytes };
        self.dropped_bytes = before.saturating_add(bytes);
    }

    /// Bytes of changes that the member has not confirmed: those on the way, and roughly those backlog instead.
    pub(crate) fn unconfirmed_bytes(&self) -> usize {
        let given_up = if self.is_synced() { 0 } else { self.dropped_bytes };
        self.in_flight_bytes.saturating_add(given_up)
    }

    /// Copies, changes and ends on the way.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.in_flight.iter().map(|frame| frame.carried.keys().len()).sum()
    }

    pub(crate) fn backlog_len(&self) -> usize {
        self.backlog.len() + self.fetching.len()
    }

    /// Nothing is left to be sent.
    pub(crate) fn is_synced(&self) -> bool {
        self.walk.is_none() && self.backlog.is_empty() && self.fetching.is_empty()
    }

    /// Whether the member has acknowledged all that was backlog to it when this was asked first; what is committed since may be
    /// on the way.
    pub(crate) fn has_acknowledged(&self, due: &mut AckTarget) -> bool {
        due.0 = due
            .0
            .filter(|(epoch, _)| *epoch == self.epoch)
            .or(self.is_synced().then_some((self.epoch, self.next)));
        due.0.is_some_and(|(_, next)| self.in_flight.front().is_none_or(|frame| frame.sequence >= next))
    }

    /// Owed copies may be sent now.
    pub(crate) fn has_window(&self) -> bool {
        self.linked
            && !self.paused
            && self.window.has_room(self.in_flight_bytes)
            && self.fetching.len() < FETCHING_MAX
    }

    /// Gives a frame its place and remembers it until it is acknowledged.
    pub(crate) fn position(
        &mut self,
        shard: u8,
        carried: Carried,
        bytes: usize,
        waiters: Vec<Ticket>,
        now: Instant,
    ) -> Position {
        if self.next == u32::MAX {
            self.restart();
        }
        let position = Position { shard, epoch: self.epoch, sequence: self.next };
        self.next += 1;
        self.in_flight_bytes += bytes;
        self.in_flight.push_back(InFlight {
            sequence: position.sequence,
            carried,
            bytes,
            sent_at: now,
            waiters,
        });
        position
    }

    /// The newest frame was not taken by the link: it has no position, and what it carries is backlog again.
    pub(super) fn take_back(&mut self) {
        if let Some((carried, mut waiters)) = self.take_back_newest() {
            for key in carried.keys() {
                self.add_to_backlog(*key, std::mem::take(&mut waiters));
            }
        }
    }

    /// The same for a frame that no link can carry; what it carried, and who waited for it.
    pub(super) fn take_back_too_long(&mut self) -> Option<(Carried, Vec<Ticket>)> {
        let (carried, waiters) = self.take_back_newest()?;
        let room = BACKLOG_MAX.saturating_sub(self.too_long.len());
        self.too_long.extend(carried.keys().iter().take(room));
        Some((carried, waiters))
    }

    fn take_back_newest(&mut self) -> Option<(Carried, Vec<Ticket>)> {
        let frame = self.in_flight.pop_back()?;
        self.next = frame.sequence;
        self.in_flight_bytes -= frame.bytes;
        Some((frame.carried, frame.waiters))
    }

    /// Nothing is sent until [`resume`](Self::resume).
    pub(super) fn pause(&mut self) {
        self.paused = true;
    }

    pub(super) fn resume(&mut self) {
        self.paused = false;
    }

    /// What arrived is unknown: everything on the way is backlog again, in a new epoch.
    pub(crate) fn restart(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
        self.next = 0;
        self.give_up(self.in_flight_bytes);
        self.in_flight_bytes = 0;
        for frame in std::mem::take(&mut self.in_flight) {
            let mut waiters = frame.waiters;
            for key in frame.carried.keys() {
                self.add_to_backlog(*key, std::mem::take(&mut waiters));
            }
        }
    }

    /// Takes what `line` acknowledges out of flight; `None` if the line cannot be believed.
    pub(crate) fn acknowledged(
        &mut self,
        line: &AckLine,
        now: Instant,
    ) -> Option<Vec<(InFlight, Vec<Exception>)>> {
        let expected = self.in_flight.front().map_or(self.next, |frame| frame.sequence);
        if line.epoch != self.epoch || line.first > expected || line.next > self.next {
            return None;
        }
        let mut taken = Vec::new();
        while self.in_flight.front().is_some_and(|frame| frame.sequence < line.next) {
            let Some(frame) = self.in_flight.pop_front() else { break };
            self.in_flight_bytes -= frame.bytes;
            let of_it = line.exceptions.iter().filter(|exception| exception.sequence == frame.sequence);
            let exceptions = of_it.copied().collect();
            taken.push((frame, exceptions));
        }
        if let Some((newest, _)) = taken.last() {
            let bytes = taken.iter().map(|(frame, _)| frame.bytes).sum();
            self.window.acknowledged(bytes, newest.sent_at, now);
            self.progress_at = now;
            self.silent_since = None;
        }
        Some(taken)
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// How long the member has acknowledged nothing although something is on the way.
    pub(crate) fn stalled_for(&self, now: Instant) -> Duration {
        let oldest = self.in_flight.front().map(|oldest| oldest.sent_at.max(self.progress_at));
        self.silent_since.or(oldest).map_or(Duration::ZERO, |since| now.since(since))
    }

    /// Nothing was acknowledged for the timeout, and the last retry is as long ago.
    pub(crate) fn retry_due(&self, timeout: Duration, now: Instant) -> bool {
        let since = self.in_flight.front().map(|oldest| oldest.sent_at.max(self.progress_at));
        since.is_some_and(|since| now.since(since.max(self.retried_at)) >= timeout)
    }

    /// Begins a new epoch; the time without an acknowledgement goes on.
    pub(crate) fn retry(&mut self, now: Instant) {
        self.silent_since =
            self.silent_since.or(self.in_flight.front().map(|oldest| oldest.sent_at.max(self.progress_at)));
        self.retried_at = now;
        self.restart();
    }

    /// How long the oldest change that the member has not confirmed has been on the way, retries included.
    pub(crate) fn unconfirmed_for(&self, now: Instant) -> Duration {
        let since = [self.silent_since, self.oldest()].into_iter().flatten().min();
        since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// When the oldest frame that is not acknowledged was sent.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.in_flight.front().map(|frame| frame.sent_at)
    }

    /// The round that can be reported as synced now.
    pub(crate) fn take_sync_report(&mut self) -> Option<SyncReport> {
        let mut sync_report = self.sync_report.take()?;
        if self.has_acknowledged(&mut sync_report.due) {
            return Some(sync_report);
        }
        self.sync_report = Some(sync_report);
        None
    }
}

impl Arrivals {
    /// Judges a frame by its position; one that came before its turn is kept until then.
    pub(crate) fn judge(&mut self, position: Position, frame: &Bytes, now: Instant) -> Arrival {
        if position.epoch > self.epoch {
            *self = Self { epoch: position.epoch, ..Self::default() };
        }
        if position.epoch < self.epoch || position.sequence < self.next {
            return Arrival::Old;
        }
        if position.sequence == self.next {
            self.next += 1;
            return Arrival::Next;
        }
        if self.gap_reported || self.early.contains_key(&position.sequence) {
            return Arrival::Old;
        }
        self.early_bytes += frame.len();
        self.early.insert(position.sequence, Early { frame: frame.clone(), came_at: now });
        if self.early.len() <= EARLY_FRAMES_MAX && self.early_bytes <= EARLY_BYTES_MAX {
            return Arrival::Early;
        }
        self.report_gap();
        Arrival::Gap
    }

    /// The frame whose turn it is, if it came before.
    pub(super) fn pop_next(&mut self) -> Option<Bytes> {
        let early = self.early.remove(&self.next)?;
        self.early_bytes -= early.frame.len();
        self.next += 1;
        Some(early.frame)
    }

    /// The epoch in which something is missing for which others have waited so long.
    pub(super) fn take_overdue_gap(&mut self, limit: Duration, now: Instant) -> Option<u32> {
        let is_overdue = self.early.values().any(|early| now.since(early.came_at) >= limit);
        is_overdue.then(|| self.report_gap())
    }

    /// What waited is given up: the sender begins a new epoch.
    fn report_gap(&mut self) -> u32 {
        self.gap_reported = true;
        self.early = BTreeMap::new();
        self.early_bytes = 0;
        self.epoch
    }

    /// Whether something that belongs before this position has not come.
    #[cfg(feature = "planted")]
    pub(crate) fn is_ahead(&self, position: Position) -> bool {
        let next = if position.epoch > self.epoch { 0 } else { self.next };
        position.epoch >= self.epoch && position.sequence > next
    }

    /// The frame that was judged last is not taken, or one of the copies in it.
    pub(crate) fn except(&mut self, verdict: Verdict, copy: Option<u32>) {
        self.exceptions.push(Exception { sequence: self.next - 1, verdict, copy });
    }

    /// The line was not sent: it is part of the next one. Between the two nobody may have taken another.
    pub(super) fn give_back_line(&mut self, line: AckLine) {
        if line.epoch == self.epoch && line.next == self.acknowledged {
            self.acknowledged = line.first;
            self.exceptions.splice(..0, line.exceptions);
        }
    }

    /// One line for everything processed since the last one.
    pub(crate) fn take_line(&mut self, shard: u8) -> Option<AckLine> {
        if self.acknowledged == self.next {
            return None;
        }
        let first = std::mem::replace(&mut self.acknowledged, self.next);
        let exceptions = std::mem::take(&mut self.exceptions);
        Some(AckLine { shard, epoch: self.epoch, first, next: self.next, exceptions })
    }
}

/// A birth as a listing has it.
pub(crate) fn birth(incarnation: u32, number: u64) -> Birth {
    Birth { incarnation: Incarnation(incarnation), number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_owed_is_acknowledged_though_changes_go_on() {
        let now = Instant::ORIGIN;
        let (mut stream, mut due) = (PeerStream::new(1, now), AckTarget::default());
        let send = |stream: &mut PeerStream| {
            stream.position(0, Carried::One(SessionKey([1; 16])), 1, Vec::new(), now)
        };
        send(&mut stream);
        assert!(!stream.has_acknowledged(&mut due));
        send(&mut stream);
        let line = |epoch, next| AckLine { shard: 0, epoch, first: 0, next, exceptions: Vec::new() };
        assert!(stream.acknowledged(&line(1, 1), now).is_some());
        assert!(stream.has_acknowledged(&mut due), "the other one is on its way and was not backlog");
        // All that is on the way is backlog again.
        stream.restart();
        assert!(!stream.has_acknowledged(&mut due));
        assert_eq!(stream.take_from_backlog(SessionKey([1; 16])), []);
        send(&mut stream);
        assert!(!stream.has_acknowledged(&mut due));
        assert!(stream.acknowledged(&line(2, 1), now).is_some());
        assert!(stream.has_acknowledged(&mut due));
    }
}
