//! What arrived from one member, in its order, and is not acknowledged yet (rules 2.1 to 2.4).
//!
//! Must not know what a frame carries.

use crate::wire::{AckLine, Exception, Position, Verdict};

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
    gap_reported: bool,
}

/// What to do with a frame that arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is the next one.
    Next,
    /// It is old, or of an abandoned epoch, or a gap was reported already.
    Ignored,
    /// Something before it is missing, and the sender has to be notified.
    Gap,
}

impl Arrivals {
    /// Whether something that was sent before this position has not come.
    pub(crate) fn is_ahead(&self, position: Position) -> bool {
        let next = if position.epoch > self.epoch { 0 } else { self.next };
        position.epoch >= self.epoch && position.sequence > next
    }

    /// Judges a frame by its position. A later epoch replaces the earlier one and all that was to be acknowledged of it.
    pub(crate) fn judge(&mut self, position: Position) -> Arrival {
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
        if std::mem::replace(&mut self.gap_reported, true) { Arrival::Ignored } else { Arrival::Gap }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u32, sequence: u32) -> Position {
        Position { shard: 0, epoch, sequence }
    }

    #[test]
    fn frames_are_taken_once_and_in_order() {
        let mut arrivals = Arrivals::default();
        let judged = [(1, 0), (1, 1), (1, 1), (1, 3), (1, 4), (1, 2)].map(|(e, s)| arrivals.judge(at(e, s)));
        use Arrival::{Gap, Ignored, Next};
        assert_eq!(judged, [Next, Next, Ignored, Gap, Ignored, Next], "a gap is reported once");
        assert!(arrivals.is_ahead(at(1, 4)) && !arrivals.is_ahead(at(1, 3)));
        assert!(arrivals.is_ahead(at(2, 1)) && !arrivals.is_ahead(at(2, 0)), "a later epoch begins at zero");
    }

    #[test]
    fn a_later_epoch_forgets_what_was_not_acknowledged() {
        let mut arrivals = Arrivals::default();
        arrivals.judge(at(1, 0));
        arrivals.refuse(Verdict::Full, None);
        assert_eq!(arrivals.judge(at(3, 0)), Arrival::Next);
        assert_eq!(arrivals.judge(at(1, 1)), Arrival::Ignored, "of an abandoned epoch");
        let line = arrivals.take_line(5).unwrap();
        assert_eq!(line, AckLine { shard: 5, epoch: 3, first: 0, next: 1, exceptions: vec![] });
    }

    #[test]
    fn lines_follow_each_other_without_a_gap_and_name_what_was_refused() {
        let mut arrivals = Arrivals::default();
        arrivals.judge(at(1, 0));
        arrivals.judge(at(1, 1));
        arrivals.refuse(Verdict::Ended, Some(2));
        let line = arrivals.take_line(0).unwrap();
        assert_eq!((line.first, line.next), (0, 2));
        assert_eq!(line.exceptions, [Exception { sequence: 1, verdict: Verdict::Ended, copy: Some(2) }]);
        assert!(arrivals.take_line(0).is_none());
        arrivals.judge(at(1, 2));
        let line = arrivals.take_line(0).unwrap();
        assert_eq!((line.first, line.next, line.exceptions), (2, 3, vec![]));
    }
}
