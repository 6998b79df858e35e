//! Frames without a position that found no room in the queue to their process: they are sent again at the
//! next tick.
//!
//! To their receiver that is a slow network, which every rule of the protocol allows. Past the bounds a frame
//! is dropped, as one that is lost on the way: whoever sent it repeats it after the ack timeout.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use crate::{Effects, Incarnation, NotSent};

/// Frames that wait, for all processes.
const FRAMES_MAX: usize = 1024;
/// Bytes of these frames.
const BYTES_MAX: usize = 4 << 20;

/// Frames that wait for the next tick.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    frames: VecDeque<(Incarnation, Bytes)>,
    bytes: usize,
    /// Processes that lack an acknowledgement.
    unacknowledged: BTreeSet<Incarnation>,
}

impl Unsent {
    pub(super) fn keep(&mut self, to: Incarnation, frame: Bytes) {
        if self.frames.len() < FRAMES_MAX && self.bytes + frame.len() <= BYTES_MAX {
            self.bytes += frame.len();
            self.frames.push_back((to, frame));
        }
    }

    /// An acknowledgement was not sent: its lines are part of the next one.
    pub(super) fn acknowledge_later(&mut self, from: Incarnation) {
        self.unacknowledged.insert(from);
    }

    pub(super) fn take_unacknowledged(&mut self) -> BTreeSet<Incarnation> {
        std::mem::take(&mut self.unacknowledged)
    }

    /// This process cannot be reached: what was for it is as good as lost on the way.
    pub(super) fn forget(&mut self, to: Incarnation) {
        self.frames.retain(|(other, _)| *other != to);
        self.bytes = self.frames.iter().map(|(_, frame)| frame.len()).sum();
        self.unacknowledged.remove(&to);
    }

    /// Sends what waits, in its order. A queue that is still full is tried with one frame.
    pub(super) fn send(&mut self, effects: &mut Effects) {
        let (waiting, mut full) = (std::mem::take(self), BTreeSet::new());
        self.unacknowledged = waiting.unacknowledged;
        for (to, frame) in waiting.frames {
            if full.contains(&to) || effects.try_send(to, frame.clone()) == Err(NotSent::QueueFull) {
                full.insert(to);
                self.keep(to, frame);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_in_frames_and_in_bytes() {
        let mut unsent = Unsent::default();
        (0..2 * FRAMES_MAX).for_each(|_| unsent.keep(Incarnation(1), Bytes::from_static(b"frame")));
        assert_eq!(unsent.frames.len(), FRAMES_MAX);
        unsent.forget(Incarnation(1));
        let large = Bytes::from(vec![0; BYTES_MAX / 4]);
        (0..9).for_each(|_| unsent.keep(Incarnation(1), large.clone()));
        assert_eq!((unsent.frames.len(), unsent.bytes), (4, BYTES_MAX));
    }

    #[test]
    fn what_is_sent_again_keeps_its_order() {
        let mut unsent = Unsent::default();
        [b"1", b"2", b"3"].iter().for_each(|frame| unsent.keep(Incarnation(1), Bytes::from_static(*frame)));
        let mut sent = Vec::new();
        unsent.send(&mut Effects::new(&mut sent));
        assert_eq!(sent.iter().map(|(_, frame)| frame[0]).collect::<Vec<_>>(), b"123");
        assert_eq!((unsent.frames.len(), unsent.bytes), (0, 0));
    }
}
