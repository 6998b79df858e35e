//! Sending, in the order in which the node gave the frames their places.
//!
//! A frame gets its place under a lock of the core and is sent after that lock was released: two threads may come
//! here the other way round. The receiver would take that for a loss, and the sender would begin a new epoch with whole
//! copies. So a frame that is ahead waits here until the one before it was sent, which is on its way: another thread
//! holds it and is about to hand it in. Nobody ever waits for a lock while a call into the core runs, and on a
//! runtime of one thread no frame is ever ahead.
//!
//! Must not know what a frame says beyond its place and its kind.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use parking_lot::Mutex;
use sessile_core::{FrameKind, Incarnation, Position};
use sessile_group::{Channel, SendError};

/// More locks than shards would not be used.
const STRIPES: usize = 16;

/// The way out of this process to all others.
pub(crate) struct Outlet {
    pub(crate) channel: Box<dyn Channel>,
    stripes: [Mutex<HashMap<(Incarnation, u8), Queue>>; STRIPES],
    pub(crate) sent: FrameCounts,
    pub(crate) unsent: Unsent,
}

/// The frames of one shard to one process.
#[derive(Default)]
struct Queue {
    epoch: u32,
    next: u32,
    /// Frames that are ahead of `next`: at most as many as other threads are about to hand in.
    early: BTreeMap<u32, (usize, Bytes)>,
}

/// Frames by their kind.
#[derive(Default)]
pub(crate) struct FrameCounts([AtomicU64; FrameKind::COUNT]);

/// Frames that were given up at once; the core finds out by itself and sends what is missing again.
#[derive(Default)]
pub(crate) struct Unsent {
    pub(crate) not_connected: AtomicU64,
    pub(crate) queue_full: AtomicU64,
    pub(crate) too_long: AtomicU64,
}

impl FrameCounts {
    pub(crate) fn count(&self, frame: &[u8]) {
        self.0[FrameKind::of(frame).index()].fetch_add(1, Relaxed);
    }

    /// Every kind with its number of frames.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        FrameKind::all().map(|kind| (kind.name(), self.0[kind.index()].load(Relaxed)))
    }
}

impl Outlet {
    pub(crate) fn new(channel: Box<dyn Channel>) -> Self {
        Self { channel, stripes: Default::default(), sent: FrameCounts::default(), unsent: Unsent::default() }
    }

    /// Sends `frame`, or keeps it for the moment that its predecessor takes. Never blocks on I/O. A frame that has a
    /// place goes over that lane, all others over lane 0.
    pub(crate) fn send(&self, to: Incarnation, lane: usize, frame: Bytes) {
        match Position::of(&frame) {
            Some(position) => self.send_in_order(to, lane, position, frame),
            None => self.send_now(to, 0, frame),
        }
    }

    fn send_in_order(&self, to: Incarnation, lane: usize, position: Position, frame: Bytes) {
        let mut stripe = self.stripes[usize::from(position.shard) % STRIPES].lock();
        let queue = stripe.entry((to, position.shard)).or_default();
        queue.take(position, lane, frame, |lane, frame| self.send_now(to, lane, frame));
    }

    /// These processes are not members any more. When one becomes a member again, the core begins another epoch.
    pub(crate) fn forget_order(&self, is_out: impl Fn(Incarnation) -> bool) {
        for stripe in &self.stripes {
            stripe.lock().retain(|(to, _), _| !is_out(*to));
        }
    }

    /// A frame that cannot be sent is counted; the core finds out by itself.
    fn send_now(&self, to: Incarnation, lane: usize, frame: Bytes) {
        let kind = FrameKind::of(&frame);
        if let Err(error @ SendError::TooLong(_)) = self.hand_over(to, lane, frame) {
            tracing::error!(member = %to, kind = kind.name(), %error, "a session cannot be copied");
        }
    }

    /// Sends a frame at once, and counts what became of it.
    pub(crate) fn hand_over(&self, to: Incarnation, lane: usize, frame: Bytes) -> Result<(), SendError> {
        let kind = FrameKind::of(&frame);
        let sent = self.channel.send(to.0, lane, frame);
        let count = match &sent {
            Ok(()) => &self.sent.0[kind.index()],
            Err(SendError::NotConnected(_)) => &self.unsent.not_connected,
            Err(SendError::QueueFull { .. }) => &self.unsent.queue_full,
            Err(SendError::TooLong(_)) => &self.unsent.too_long,
        };
        count.fetch_add(1, Relaxed);
        sent
    }
}

impl Queue {
    /// Passes on `frame` and what waited for it.
    fn take(&mut self, position: Position, lane: usize, frame: Bytes, mut pass_on: impl FnMut(usize, Bytes)) {
        if position.epoch > self.epoch {
            *self = Self { epoch: position.epoch, ..Self::default() };
        }
        if position.epoch < self.epoch {
            // The core has begun again and sends a copy instead.
            return;
        }
        if position.sequence > self.next {
            self.early.insert(position.sequence, (lane, frame));
            return;
        }
        pass_on(lane, frame);
        self.next = position.sequence.saturating_add(1);
        while let Some((lane, frame)) = self.early.remove(&self.next) {
            pass_on(lane, frame);
            self.next = self.next.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(frames: &[(u32, u32)]) -> Vec<u8> {
        let (mut queue, mut passed) = (Queue::default(), Vec::new());
        for (epoch, sequence) in frames {
            let position = Position { shard: 0, epoch: *epoch, sequence: *sequence };
            let frame = Bytes::from(vec![(epoch * 10 + sequence) as u8]);
            queue.take(position, 0, frame, |_, frame| passed.push(frame[0]));
        }
        passed
    }

    #[test]
    fn frames_leave_in_the_order_of_their_places() {
        assert_eq!(passed(&[(1, 0), (1, 1), (1, 2)]), [10, 11, 12]);
        assert_eq!(passed(&[(1, 2), (1, 1), (1, 0), (1, 3)]), [10, 11, 12, 13]);
    }

    #[test]
    fn a_new_epoch_leaves_the_old_one_behind() {
        assert_eq!(passed(&[(1, 1), (2, 0), (1, 0), (2, 1)]), [20, 21]);
        assert_eq!(passed(&[(2, 1), (2, 0)]), [20, 21]);
    }
}
