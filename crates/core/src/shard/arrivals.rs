//! What arrived from one member, in its order, and is not acknowledged yet (rules 2.1 to 2.4).
//!
//! Must not know what a frame carries.

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
    /// What was not taken since.
    exceptions: Vec<Exception>,
    /// The sender was told that something is missing in this epoch.
    gap_reported: bool,
    /// Frames that came before their turn, by sequence number (rule 1.5).
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
    /// It is old, or of an abandoned epoch, or a gap was reported already.
    Ignored,
    /// It is kept until what belongs before it has come.
    Early,
    /// Something before it is missing, and the sender has to be notified.
    Gap,
}

impl Arrivals {
    /// Whether something that was sent before this position has not come.
    #[cfg(any(test, feature = "planted"))]
    pub(crate) fn is_ahead(&self, position: Position) -> bool {
        let next = if position.epoch > self.epoch { 0 } else { self.next };
        position.epoch >= self.epoch && position.sequence > next
    }

    /// Judges a frame by its position. A later epoch replaces the earlier one and all that was to be acknowledged of it. A
    /// frame that came before its turn is kept until then, within bounds (rule 1.5).
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

    /// The frame whose turn it is, if it came before.
    pub(crate) fn pop_next(&mut self) -> Option<Bytes> {
        let early = self.early.remove(&self.next)?;
        self.early_bytes -= early.frame.len();
        self.next += 1;
        Some(early.frame)
    }

    /// The epoch in which something is missing for which a frame has waited so long.
    pub(crate) fn take_overdue_gap(&mut self, limit: Duration, now: Instant) -> Option<u32> {
        let is_overdue = self.early.values().any(|early| now.since(early.came_at) >= limit);
        is_overdue.then(|| self.report_gap())
    }

    /// What waits is given up: the sender begins a new epoch.
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

    /// The line was not sent: it is part of the next one. Between the two nobody may have taken another.
    pub(crate) fn give_back_line(&mut self, line: AckLine) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u32, sequence: u32) -> Position {
        Position { shard: 0, epoch, sequence }
    }

    fn judge(arrivals: &mut Arrivals, epoch: u32, sequence: u32) -> Arrival {
        arrivals.judge(at(epoch, sequence), &Bytes::from_static(b"frame"), Instant::ORIGIN)
    }

    #[test]
    fn a_gap_is_reported_once_when_a_frame_has_waited_long_enough() {
        let (mut arrivals, limit) = (Arrivals::default(), Duration::from_millis(250));
        judge(&mut arrivals, 1, 1);
        assert_eq!(arrivals.take_overdue_gap(limit, Instant::ORIGIN.plus(limit / 2)), None);
        assert_eq!(arrivals.take_overdue_gap(limit, Instant::ORIGIN.plus(limit)), Some(1));
        assert_eq!(judge(&mut arrivals, 1, 2), Arrival::Ignored);
        assert_eq!(arrivals.take_overdue_gap(limit, Instant::ORIGIN.plus(limit * 9)), None);
    }

    #[test]
    fn a_line_that_was_not_sent_is_part_of_the_next_one() {
        let mut arrivals = Arrivals::default();
        judge(&mut arrivals, 1, 0);
        arrivals.refuse(Verdict::Full, None);
        let line = arrivals.take_line(0).unwrap();
        arrivals.give_back_line(line.clone());
        judge(&mut arrivals, 1, 1);
        let next = arrivals.take_line(0).unwrap();
        assert_eq!((next.first, next.next, next.exceptions), (0, 2, line.exceptions));
    }

    #[test]
    fn frames_are_taken_once_and_in_order() {
        let mut arrivals = Arrivals::default();
        let judged =
            [(1, 0), (1, 1), (1, 1), (1, 3), (1, 3), (1, 2)].map(|(e, s)| judge(&mut arrivals, e, s));
        use Arrival::{Early, Ignored, Next};
        assert_eq!(judged, [Next, Next, Ignored, Early, Ignored, Next]);
        assert!(arrivals.pop_next().is_some() && arrivals.pop_next().is_none(), "the third has its turn");
        assert!(arrivals.is_ahead(at(1, 5)) && !arrivals.is_ahead(at(1, 4)));
        assert!(arrivals.is_ahead(at(2, 1)) && !arrivals.is_ahead(at(2, 0)), "a later epoch begins at zero");
    }

    #[test]
    fn a_later_epoch_forgets_what_was_not_acknowledged() {
        let mut arrivals = Arrivals::default();
        judge(&mut arrivals, 1, 0);
        arrivals.refuse(Verdict::Full, None);
        assert_eq!(judge(&mut arrivals, 3, 0), Arrival::Next);
        assert_eq!(judge(&mut arrivals, 1, 1), Arrival::Ignored, "of an abandoned epoch");
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
}
