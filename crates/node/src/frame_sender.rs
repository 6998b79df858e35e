//! Frames on their way to other processes.
//!
//! A call into the node pushes each frame at once, under the lock that gives it its position: that makes the
//! order, and nobody has to restore it. The writers are woken after the call, without a lock.
//!
//! Must not know what a frame says beyond its kind, and whether it has a position.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use sessile_core::{FrameKind, FrameSink, Incarnation, NotSent, Position};
use sessile_group::{Channel, SendError};

/// The way of frames to all other processes.
pub(crate) struct FrameSender {
    pub(crate) channel: Box<dyn Channel>,
    pub(crate) sent: FrameCounts,
    pub(crate) unsent: Unsent,
}

/// Frames by their kind.
#[derive(Default)]
pub(crate) struct FrameCounts([AtomicU64; FrameKind::COUNT]);

/// Frames that were refused at once.
#[derive(Default)]
pub(crate) struct Unsent {
    pub(crate) not_connected: AtomicU64,
    pub(crate) queue_full: AtomicU64,
    pub(crate) too_long: AtomicU64,
}

/// The frames of one call into the node.
pub(crate) struct CallFrames<'e> {
    /// `None` on a node that has no members.
    sender: Option<&'e FrameSender>,
    /// The connection for frames that have a position; all others use connection 0.
    connection: usize,
    /// Where frames were pushed whose writer is not woken.
    pushed: Vec<Incarnation>,
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

impl FrameSender {
    pub(crate) fn new(channel: Box<dyn Channel>) -> Self {
        Self { channel, sent: FrameCounts::default(), unsent: Unsent::default() }
    }

    /// Sends a frame over connection 0, outside a call into the node.
    pub(crate) fn send(&self, to: Incarnation, frame: Bytes) -> Result<(), SendError> {
        self.push(to, 0, frame)?;
        self.channel.flush(to.0, 0);
        Ok(())
    }

    /// Pushes a frame, and counts what became of it.
    fn push(&self, to: Incarnation, connection: usize, frame: Bytes) -> Result<(), SendError> {
        let kind = FrameKind::of(&frame);
        let pushed = self.channel.push(to.0, connection, frame);
        let count = match &pushed {
            Ok(()) => &self.sent.0[kind.index()],
            Err(SendError::NotConnected(_)) => &self.unsent.not_connected,
            Err(SendError::QueueFull { .. }) => &self.unsent.queue_full,
            Err(SendError::TooLong(_)) => &self.unsent.too_long,
        };
        count.fetch_add(1, Relaxed);
        pushed
    }
}

impl<'e> CallFrames<'e> {
    pub(crate) fn new(sender: Option<&'e FrameSender>, connection: usize) -> Self {
        Self { sender, connection, pushed: Vec::new() }
    }

    /// Wakes the writers of all frames; to be called when the call is over and no lock is held.
    pub(crate) fn flush(self) {
        let Some(sender) = self.sender else { return };
        for to in self.pushed {
            sender.channel.flush(to.0, self.connection);
        }
    }
}

impl FrameSink for CallFrames<'_> {
    fn send(&mut self, to: Incarnation, frame: Bytes) -> Result<(), NotSent> {
        let Some(sender) = self.sender else { return Err(NotSent::NotConnected) };
        // Only frames with a position are put back into order where they arrive.
        let connection = if Position::of(&frame).is_some() { self.connection } else { 0 };
        sender.push(to, connection, frame).map_err(|error| match error {
            SendError::NotConnected(_) => NotSent::NotConnected,
            SendError::QueueFull { .. } => NotSent::QueueFull,
            SendError::TooLong(_) => NotSent::TooLong,
        })?;
        if !self.pushed.contains(&to) {
            self.pushed.push(to);
        }
        Ok(())
    }
}
