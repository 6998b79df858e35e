//! The frames on the way from one shard to one member: sent, and not acknowledged (rules 2.3 to 2.5).
//!
//! Frames leave the front only, in order, and by acknowledgements that follow each other without a gap. In
//! doubt all of them are given up at once, and a new epoch begins. Must not know what is sent, nor whether a
//! link is up.

use std::collections::VecDeque;
use std::time::Duration;

use crate::shard::window::Window;
use crate::wire::{AckLine, Exception, Position};
use crate::{Instant, SessionKey, Ticket};

/// A frame that was sent and not acknowledged.
#[derive(Debug)]
pub(crate) struct SentFrame {
    sequence: u32,
    pub(crate) carried: Carried,
    bytes: usize,
    pub(crate) sent_at: Instant,
    /// Commits and ends that wait for it.
    pub(crate) waiters: Vec<Ticket>,
}

/// The sessions of which a frame carries something.
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

    /// The sessions that a refusal is about: of one copy in the frame, or of all that is in it.
    pub(crate) fn refused(&self, copy: Option<u32>) -> &[SessionKey] {
        let keys = self.keys();
        match copy {
            Some(copy) => keys.get(copy as usize).map_or(&[], std::slice::from_ref),
            None => keys,
        }
    }
}

/// A point in the order of frames, an epoch and a sequence number, which acknowledgements have to reach. It
/// is set when nothing waits to be sent, and again when an epoch was given up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watermark(Option<(u32, u32)>);

/// The frames on the way to one member.
#[derive(Debug)]
pub(crate) struct InFlight {
    epoch: u32,
    /// The sequence number of the next frame.
    next: u32,
    frames: VecDeque<SentFrame>,
    bytes: usize,
    /// Bounds copies of the backlog; changes always go.
    window: Window,
    /// When something was acknowledged last.
    progress_at: Instant,
    retried_at: Instant,
    /// Since when nothing was acknowledged, across retries.
    silent_since: Option<Instant>,
}

impl InFlight {
    /// `epoch` is above every one that this process used towards the member before.
    pub(crate) fn new(epoch: u32, now: Instant) -> Self {
        Self {
            epoch,
            next: 0,
            frames: VecDeque::new(),
            bytes: 0,
            window: Window::new(now),
            progress_at: now,
            retried_at: now,
            silent_since: None,
        }
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Nothing is on the way.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// A copy of the backlog may be sent now.
    pub(crate) fn has_window(&self) -> bool {
        self.window.has_room(self.bytes)
    }

    /// This epoch has no further sequence number.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.next == u32::MAX
    }

    /// Gives a frame its position, and remembers it until it is acknowledged.
    pub(crate) fn push(
        &mut self,
        shard: u8,
        carried: Carried,
        bytes: usize,
        waiters: Vec<Ticket>,
        now: Instant,
    ) -> Position {
        let sequence = self.next;
        self.next += 1;
        self.bytes += bytes;
        self.frames.push_back(SentFrame { sequence, carried, bytes, sent_at: now, waiters });
        Position { shard, epoch: self.epoch, sequence }
    }

    /// The newest frame was not sent: it is taken back, and its position goes to the next one.
    pub(crate) fn take_back(&mut self) -> Option<SentFrame> {
        let frame = self.frames.pop_back()?;
        self.next = frame.sequence;
        self.bytes -= frame.bytes;
        Some(frame)
    }

    /// Takes the frames that `line` acknowledges, each with what was refused of it; `None` if the line does
    /// not follow the last one.
    pub(crate) fn acknowledge(
        &mut self,
        line: &AckLine,
        now: Instant,
    ) -> Option<Vec<(SentFrame, Vec<Exception>)>> {
        let expected = self.frames.front().map_or(self.next, |frame| frame.sequence);
        if line.epoch != self.epoch || line.first > expected || line.next > self.next {
            return None;
        }
        let count = line.next.saturating_sub(expected) as usize;
        let mut taken = Vec::with_capacity(count.min(self.frames.len()));
        while self.frames.front().is_some_and(|frame| frame.sequence < line.next) {
            let Some(frame) = self.frames.pop_front() else { break };
            self.bytes -= frame.bytes;
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

    /// It is unknown which frames arrived: gives all up and begins a new epoch.
    pub(crate) fn restart(&mut self) -> VecDeque<SentFrame> {
        self.epoch = self.epoch.saturating_add(1);
        self.next = 0;
        self.bytes = 0;
        std::mem::take(&mut self.frames)
    }

    /// As [`restart`](Self::restart), because nothing was acknowledged for long; the time of silence goes on.
    pub(crate) fn retry(&mut self, now: Instant) -> VecDeque<SentFrame> {
        self.silent_since = self.silent_since.or(self.stalled_since());
        self.retried_at = now;
        self.restart()
    }

    /// Nothing was acknowledged for the timeout, and the last retry is as long ago.
    pub(crate) fn is_retry_due(&self, timeout: Duration, now: Instant) -> bool {
        self.stalled_since().is_some_and(|since| now.since(since.max(self.retried_at)) >= timeout)
    }

    /// How long the member has acknowledged nothing although something is on the way, retries included.
    pub(crate) fn stalled_for(&self, now: Instant) -> Duration {
        let since = self.silent_since.or(self.stalled_since());
        since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// How long the oldest change that the member has not confirmed has been on the way, retries included.
    pub(crate) fn unconfirmed_for(&self, now: Instant) -> Duration {
        let since = [self.silent_since, self.oldest()].into_iter().flatten().min();
        since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// When the oldest frame was sent.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.frames.front().map(|frame| frame.sent_at)
    }

    /// The sessions of all frames, in the order of these.
    pub(crate) fn keys(&self) -> impl Iterator<Item = SessionKey> {
        self.frames.iter().flat_map(|frame| frame.carried.keys()).copied()
    }

    /// Something of this session is on the way.
    pub(crate) fn carries(&self, key: SessionKey) -> bool {
        self.keys().any(|carried| carried == key)
    }

    /// Whether everything before a watermark was acknowledged. It is set to the next frame where it is not
    /// set for this epoch, if `nothing_waits` to be sent.
    pub(crate) fn has_reached(&self, watermark: &mut Watermark, nothing_waits: bool) -> bool {
        let of_this_epoch = watermark.0.filter(|(epoch, _)| *epoch == self.epoch);
        watermark.0 = of_this_epoch.or(nothing_waits.then_some((self.epoch, self.next)));
        let is_before = |next| self.frames.front().is_none_or(|frame| frame.sequence >= next);
        watermark.0.is_some_and(|(_, next)| is_before(next))
    }

    fn stalled_since(&self) -> Option<Instant> {
        self.frames.front().map(|oldest| oldest.sent_at.max(self.progress_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::after_origin(Duration::from_millis(millis))
    }

    fn push(in_flight: &mut InFlight, key: u8, now: Instant) -> Position {
        in_flight.push(0, Carried::One(SessionKey([key; 16])), 10, vec![Ticket(u64::from(key))], now)
    }

    fn line(epoch: u32, first: u32, next: u32) -> AckLine {
        AckLine { shard: 0, epoch, first, next, exceptions: Vec::new() }
    }

    #[test]
    fn frames_are_taken_from_the_front_by_lines_that_follow_each_other() {
        let mut in_flight = InFlight::new(3, at(0));
        for key in 1..=4 {
            push(&mut in_flight, key, at(0));
        }
        assert!(in_flight.acknowledge(&line(2, 0, 1), at(1)).is_none(), "of another epoch");
        assert!(in_flight.acknowledge(&line(3, 1, 2), at(1)).is_none(), "an earlier line is missing");
        assert!(in_flight.acknowledge(&line(3, 0, 5), at(1)).is_none(), "of what was never sent");
        let taken = in_flight.acknowledge(&line(3, 0, 3), at(1)).unwrap();
        assert_eq!(taken.iter().map(|(frame, _)| frame.waiters[0].0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((in_flight.bytes(), in_flight.carries(SessionKey([4; 16]))), (10, true));
        assert_eq!(in_flight.acknowledge(&line(3, 1, 3), at(1)).unwrap().len(), 0, "once more");
    }

    #[test]
    fn a_frame_that_is_taken_back_leaves_its_position_to_the_next_one() {
        let mut in_flight = InFlight::new(1, at(0));
        push(&mut in_flight, 1, at(0));
        let position = push(&mut in_flight, 2, at(0));
        assert_eq!(in_flight.take_back().unwrap().waiters, [Ticket(2)]);
        assert_eq!((in_flight.bytes(), in_flight.carries(SessionKey([2; 16]))), (10, false));
        assert_eq!(push(&mut in_flight, 3, at(0)), position);
    }

    #[test]
    fn exceptions_go_to_the_frames_that_they_name() {
        use crate::wire::Verdict::Full;
        let mut in_flight = InFlight::new(1, at(0));
        in_flight.push(0, Carried::Several([[1; 16], [2; 16]].map(SessionKey).into()), 1, Vec::new(), at(0));
        push(&mut in_flight, 3, at(0));
        let exceptions = vec![Exception { sequence: 0, verdict: Full, copy: Some(1) }];
        let taken = in_flight.acknowledge(&AckLine { exceptions, ..line(1, 0, 2) }, at(1)).unwrap();
        let [(first, refused), (_, none)] = &taken[..] else { panic!("{taken:?}") };
        assert_eq!(first.carried.refused(refused[0].copy), [SessionKey([2; 16])]);
        assert_eq!(first.carried.refused(Some(2)), [], "a copy that was not in the frame");
        assert!(none.is_empty());
    }

    #[test]
    fn a_retry_gives_all_up_and_the_silence_goes_on() {
        let (mut in_flight, timeout) = (InFlight::new(1, at(0)), Duration::from_millis(100));
        push(&mut in_flight, 1, at(0));
        assert!(!in_flight.is_retry_due(timeout, at(99)) && in_flight.is_retry_due(timeout, at(100)));
        assert_eq!(in_flight.retry(at(100)).len(), 1);
        assert_eq!((in_flight.epoch(), in_flight.bytes()), (2, 0));
        push(&mut in_flight, 1, at(110));
        assert!(!in_flight.is_retry_due(timeout, at(200)) && in_flight.is_retry_due(timeout, at(210)));
        assert_eq!(in_flight.stalled_for(at(210)), Duration::from_millis(210));
        assert!(in_flight.acknowledge(&line(2, 0, 1), at(220)).is_some());
        assert_eq!(in_flight.stalled_for(at(300)), Duration::ZERO);
    }
}
