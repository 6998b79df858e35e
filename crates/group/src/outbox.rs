//! The frames that wait for one link, bounded in bytes.
//!
//! Any task appends without waiting; the link's one writer takes everything at once. What is being written
//! still counts, so that the bound is a bound on memory.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::error::SendError;
use crate::frame::{FRAME_LIMIT, HEADER};

/// How much waits for one process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Bytes accepted and not yet handed to the socket.
    pub bytes: usize,
    /// How long the oldest of them has waited.
    pub age: Duration,
}

/// The queue in front of one link.
#[derive(Debug)]
pub(crate) struct Outbox {
    to: u32,
    limit: usize,
    state: Mutex<State>,
    /// Frames wait that the writer was not woken for.
    unannounced: AtomicBool,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    waiting: Vec<Bytes>,
    bytes: usize,
    waiting_since: Option<Instant>,
    writing_since: Option<Instant>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Closed,
    Open,
    /// Takes nothing more; the writer ends when it is empty.
    Finishing,
}

/// What the writer finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// That many frames.
    Frames(usize),
    /// None, and none will come.
    Finished,
}

impl Outbox {
    pub(crate) fn new(to: u32, limit: usize) -> Self {
        Self {
            to,
            limit,
            state: Mutex::default(),
            unannounced: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// Appends a frame; never waits, and leaves it to [`wake`](Self::wake) that the writer learns of it.
    pub(crate) fn push(&self, frame: Bytes) -> Result<(), SendError> {
        if frame.len() > FRAME_LIMIT {
            return Err(SendError::TooLong(frame.len()));
        }
        let mut state = self.state.lock();
        if state.phase != Phase::Open {
            return Err(SendError::NotConnected(self.to));
        }
        let bytes = state.bytes + HEADER + frame.len();
        if bytes + state.waiting.len() * size_of::<Bytes>() > self.limit {
            return Err(SendError::QueueFull { to: self.to, bytes: state.bytes });
        }
        state.bytes = bytes;
        state.waiting.push(frame);
        if state.waiting.len() == 1 {
            state.waiting_since = Some(Instant::now());
            self.unannounced.store(true, Release);
        }
        Ok(())
    }

    /// Wakes the writer for what was pushed.
    pub(crate) fn wake(&self) {
        if self.unannounced.load(Acquire) && self.unannounced.swap(false, AcqRel) {
            self.changed.notify_one();
        }
    }

    /// Waits until there is something to write, or nothing ever again.
    pub(crate) async fn ready(&self) -> Waiting {
        loop {
            {
                let state = self.state.lock();
                match (state.waiting.len(), state.phase) {
                    (0, Phase::Finishing) => return Waiting::Finished,
                    (0, _) => {}
                    (frames, _) => return Waiting::Frames(frames),
                }
            }
            self.changed.notified().await;
        }
    }

    /// Moves everything that waits into `batch`, which is empty.
    pub(crate) fn take(&self, batch: &mut Vec<Bytes>) {
        let mut state = self.state.lock();
        std::mem::swap(&mut state.waiting, batch);
        state.writing_since = state.waiting_since.take();
    }

    /// `bytes` of what was taken reached the socket.
    pub(crate) fn written(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// All that was taken reached the socket.
    pub(crate) fn batch_written(&self) {
        self.state.lock().writing_since = None;
    }

    /// Whether frames are taken.
    pub(crate) fn is_open(&self) -> bool {
        self.state.lock().phase == Phase::Open
    }

    pub(crate) fn depth(&self) -> Depth {
        let state = self.state.lock();
        let since = state.writing_since.or(state.waiting_since);
        Depth { bytes: state.bytes, age: since.map(|since| since.elapsed()).unwrap_or_default() }
    }

    /// A link is there: frames are taken from now on.
    pub(crate) fn open(&self) {
        *self.state.lock() = State { phase: Phase::Open, ..State::default() };
    }

    /// The link is lost: what waited is discarded, and nothing is taken.
    pub(crate) fn close(&self) {
        *self.state.lock() = State::default();
    }

    /// Takes nothing more; the writer ends once it has written what waits.
    pub(crate) fn finish(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Finishing;
        }
        drop(state);
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a future gives without waiting.
    async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = std::future::ready(()) => None,
        }
    }

    #[test]
    fn it_is_bounded_by_bytes_until_they_are_written() {
        let outbox = Outbox::new(7, 130);
        assert_eq!(outbox.push(Bytes::from_static(b"x")), Err(SendError::NotConnected(7)));
        outbox.open();
        let frame = Bytes::from(vec![0; 40]);
        outbox.push(frame.clone()).unwrap();
        outbox.push(frame.clone()).unwrap();
        let full = Err(SendError::QueueFull { to: 7, bytes: 88 });
        assert_eq!(outbox.push(frame.clone()), full);
        let mut batch = Vec::new();
        outbox.take(&mut batch);
        assert_eq!(outbox.push(frame.clone()), full, "what is being written still counts");
        outbox.written(88);
        outbox.batch_written();
        outbox.push(frame).unwrap();
        assert_eq!(outbox.depth().bytes, 44);
        outbox.close();
        assert_eq!(outbox.depth(), Depth::default(), "a lost link discards what waited");
    }

    #[tokio::test]
    async fn the_writer_sleeps_until_it_is_woken_for_what_was_pushed() {
        let outbox = Outbox::new(7, 100);
        outbox.open();
        let mut ready = std::pin::pin!(outbox.ready());
        assert_eq!(now(&mut ready).await, None);
        outbox.push(Bytes::from_static(b"one")).unwrap();
        assert_eq!(now(&mut ready).await, None, "no task is woken by a push");
        outbox.wake();
        assert_eq!(now(&mut ready).await, Some(Waiting::Frames(1)));
    }

    #[tokio::test]
    async fn it_finishes_when_it_is_empty() {
        let outbox = Outbox::new(7, 100);
        outbox.open();
        outbox.push(Bytes::from_static(b"last")).unwrap();
        outbox.finish();
        assert_eq!(outbox.push(Bytes::new()), Err(SendError::NotConnected(7)));
        assert_eq!(outbox.ready().await, Waiting::Frames(1));
        outbox.take(&mut Vec::new());
        assert_eq!(outbox.ready().await, Waiting::Finished);
    }
}
