//! Frames that arrived from one member, in its order, and are not acknowledged yet (rules 2.1 to 2.4).
//!
//! A frame that came before its turn is kept until those before it have come: they are on their way, perhaps
//! over another connection. Kept frames are bounded in number, in bytes and in time; past that the sender
//! begins a new epoch. Must not know what a frame carries.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::Instant;
use crate::wire::{AckLine, Exception, Position, Verdict};

/// Frames of one member that wait for one before them.
const EARLY_FRAMES_MAX: usize = 64;

/// Bytes of these frames.
const EARLY_BYTES_MAX: usize = 1 << 20;

/// The frames of one member that were processed.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    epoch: u32,
    /// The sequence number that is taken next.
    next: u32,
    /// Everything before it has been acknowledged.
    acknowledged: u32,
    /// Frames that were not taken since.
    exceptions: Vec<Exception>,
    /// The sender was notified that something is missing in this epoch.
    gap_reported: bool,
    /// Frames that came before their turn, by sequence number.
    early: BTreeMap<u32, Early>,
    early_bytes: usize,
}

/// A frame that waits for those before it.
#[derive(Debug)]
struct Early {
    frame: Bytes,
    came_at: Instant,
}

/// The verdict on a frame that arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is the next one.
    Next,
    /// It is old, or of an abandoned epoch, or a gap was reported already.
    Ignored,
    /// It is kept until what belongs before it has come.
    Early,
    /// Something before it is missing, and the sender has to be notified.
    Gap,
}

impl Arrivals {
    /// Whether something that was sent before this position has not come.
    #[cfg(feature = "planted")]
    pub(crate) fn is_ahead(&self, position: Position) -> bool {
        let next = if position.epoch > self.epoch { 0 } else { self.next };
        position.epoch >= self.epoch && position.sequence > next
    }

    /// Judges a frame by its position; one that came before its turn is kept until then. A later epoch
    /// replaces the earlier one and all that was to be acknowledged of it.
    pub(crate) fn judge(&mut self, position: Position, frame: &Bytes, now: Instant) -> Arrival {
        if position.epoch > self.epoch {
            *self = Self { epoch: position.epoch, ..Self::default() };
        }
        if position.epoch < self.epoch || position.sequence < self.next {
            return Arrival::Ignored;
        }
        if position.sequence == self.next {
            self.next += 1;
            return Arrival::Next;
        }
        if self.gap_reported || self.early.contains_key(&position.sequence) {
            return Arrival::Ignored;
        }
        self.early_bytes += frame.len();
        self.early.insert(position.sequence, Early { frame: frame.clone(), came_at: now });
        if self.early.len() <= EARLY_FRAMES_MAX && self.early_bytes <= EARLY_BYTES_MAX {
            return Arrival::Early;
        }
        self.report_gap();
        Arrival::Gap
    }

    /// Takes the frame whose turn it is, if it came before.
    pub(crate) fn take_early(&mut self) -> Option<Bytes> {
        let early = self.early.remove(&self.next)?;
        self.early_bytes -= early.frame.len();
        self.next += 1;
        Some(early.frame)
    }

    /// The epoch in which something is missing for which other frames have waited so long.
    pub(crate) fn take_overdue_gap(&mut self, limit: Duration, now: Instant) -> Option<u32> {
        let is_overdue = self.early.values().any(|early| now.since(early.came_at) >= limit);
        is_overdue.then(|| self.report_gap())
    }

    /// Gives up what waits: the sender begins a new epoch.
    fn report_gap(&mut self) -> u32 {
        self.gap_reported = true;
        self.early = BTreeMap::new();
        self.early_bytes = 0;
        self.epoch
    }

    /// The frame that was judged last is not taken, or one of the copies in it.
    pub(crate) fn refuse(&mut self, verdict: Verdict, copy: Option<u32>) {
        self.exceptions.push(Exception { sequence: self.next - 1, verdict, copy });
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

    /// The line was not sent: it is part of the next one. Nobody may have taken another one since.
    pub(crate) fn give_back_line(&mut self, line: AckLine) {
        if line.epoch == self.epoch && line.next == self.acknowledged {
            self.acknowledged = line.first;
            self.exceptions.splice(..0, line.exceptions);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arrival::{Early, Gap, Ignored, Next};
    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    fn judge(arrivals: &mut Arrivals, epoch: u32, sequence: u32) -> Arrival {
        judge_sized(arrivals, epoch, sequence, 1)
    }

    fn judge_sized(arrivals: &mut Arrivals, epoch: u32, sequence: u32, bytes: usize) -> Arrival {
        let frame = Bytes::from(vec![sequence as u8; bytes]);
        arrivals.judge(Position { shard: 0, epoch, sequence }, &frame, Instant::ORIGIN)
    }

    #[test]
    fn frames_are_taken_once_and_in_order() {
        let mut arrivals = Arrivals::default();
        let judged = [0, 1, 1, 4, 3, 3, 2].map(|sequence| judge(&mut arrivals, 1, sequence));
        assert_eq!(judged, [Next, Next, Ignored, Early, Early, Ignored, Next]);
        let early: Vec<u8> = std::iter::from_fn(|| arrivals.take_early()).map(|frame| frame[0]).collect();
        assert_eq!(early, [3, 4]);
        assert_eq!(judge(&mut arrivals, 1, 4), Ignored);
        assert_eq!((judge(&mut arrivals, 1, 5), arrivals.early_bytes), (Next, 0));
    }

    #[test]
    fn what_waits_too_long_for_a_missing_frame_is_given_up_once() {
        let mut arrivals = Arrivals::default();
        judge(&mut arrivals, 3, 1);
        let overdue = Instant::after_origin(LIMIT);
        assert_eq!(arrivals.take_overdue_gap(LIMIT, Instant::ORIGIN), None);
        assert_eq!(arrivals.take_overdue_gap(LIMIT, overdue), Some(3));
        assert_eq!((arrivals.take_overdue_gap(LIMIT, overdue), arrivals.early.len()), (None, 0));
        assert_eq!(judge(&mut arrivals, 3, 2), Ignored, "the sender was notified");
        assert_eq!((judge(&mut arrivals, 3, 0), arrivals.take_early()), (Next, None));
        assert_eq!(judge(&mut arrivals, 4, 1), Early, "of the next epoch");
    }

    #[test]
    fn what_waits_is_bounded_in_frames_and_in_bytes() {
        let mut arrivals = Arrivals::default();
        let most = EARLY_FRAMES_MAX as u32;
        assert!((1..=most).all(|sequence| judge(&mut arrivals, 1, sequence) == Early));
        assert_eq!((judge(&mut arrivals, 1, most + 1), arrivals.early.len()), (Gap, 0));
        assert_eq!(judge_sized(&mut arrivals, 2, 1, EARLY_BYTES_MAX), Early);
        assert_eq!((judge(&mut arrivals, 2, 2), arrivals.early_bytes), (Gap, 0));
    }

    #[test]
    fn a_later_epoch_forgets_what_was_not_acknowledged() {
        let mut arrivals = Arrivals::default();
        judge(&mut arrivals, 1, 0);
        arrivals.refuse(Verdict::Full, None);
        assert_eq!(judge(&mut arrivals, 3, 0), Next);
        assert_eq!(judge(&mut arrivals, 1, 1), Ignored, "of an abandoned epoch");
        let line = arrivals.take_line(5).unwrap();
        assert_eq!(line, AckLine { shard: 5, epoch: 3, first: 0, next: 1, exceptions: vec![] });
    }

    #[test]
    fn lines_follow_each_other_without_a_gap_and_name_what_was_refused() {
        let mut arrivals = Arrivals::default();
        judge(&mut arrivals, 1, 0);
        judge(&mut arrivals, 1, 1);
        arrivals.refuse(Verdict::Ended, Some(2));
        let line = arrivals.take_line(0).unwrap();
        assert_eq!((line.first, line.next), (0, 2));
        assert_eq!(line.exceptions, [Exception { sequence: 1, verdict: Verdict::Ended, copy: Some(2) }]);
        assert!(arrivals.take_line(0).is_none());
        judge(&mut arrivals, 1, 2);
        let line = arrivals.take_line(0).unwrap();
        assert_eq!((line.first, line.next, line.exceptions), (2, 3, vec![]));
    }

    #[test]
    fn a_line_that_was_not_sent_is_part_of_the_next_one() {
        let mut arrivals = Arrivals::default();
        judge(&mut arrivals, 1, 0);
        arrivals.refuse(Verdict::Full, None);
        let line = arrivals.take_line(0).unwrap();
        judge(&mut arrivals, 1, 1);
        arrivals.refuse(Verdict::Ended, None);
        arrivals.give_back_line(line);
        let line = arrivals.take_line(0).unwrap();
        let refused: Vec<_> = line.exceptions.iter().map(|refusal| refusal.sequence).collect();
        assert_eq!((line.first, line.next, refused), (0, 2, vec![0, 1]));
        judge(&mut arrivals, 2, 0);
        arrivals.give_back_line(line);
        assert_eq!(arrivals.take_line(0).unwrap().exceptions, [], "of an abandoned epoch");
    }
}
