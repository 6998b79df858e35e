//! One direction between two members: a bounded queue of frames, and how it came to its end.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::Hub;
use crate::channel::{Incoming, NextBatch};
use crate::config::ChannelOptions;
use crate::counters::{Traffic, TrafficCounts};
use crate::error::{ReceiveError, SendError};
use crate::frame::HEADER;
use crate::identity::Peer;
use crate::outbox::{Depth, Outbox, Waiting};

/// Frames on their way from one member to another.
#[derive(Debug)]
pub(super) struct Pipe {
    sender: Peer,
    outbox: Outbox,
    phase: watch::Sender<Phase>,
    counts: TrafficCounts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The sender is no more; what it sent is still read.
    Finishing,
    /// Everything was read after that, or this member ended it.
    Ended {
        by: u32,
    },
}

impl Pipe {
    pub(super) fn new(sender: Peer, to: u32) -> Self {
        let outbox = Outbox::new(to, ChannelOptions::default().queue_bytes);
        outbox.open();
        Self { sender, outbox, phase: watch::Sender::new(Phase::Open), counts: TrafficCounts::default() }
    }

    pub(super) fn push(&self, frame: Bytes) -> Result<(), SendError> {
        let bytes = frame.len();
        self.outbox.push(frame)?;
        self.counts.frames_out.up();
        self.counts.bytes_out.add(bytes);
        Ok(())
    }

    /// Wakes the reader for what was pushed.
    pub(super) fn wake(&self) {
        self.outbox.wake();
    }

    pub(super) fn depth(&self) -> Depth {
        self.outbox.depth()
    }

    /// What went through it, and what came `back` through the other direction.
    pub(super) fn traffic(&self, back: Option<&Self>) -> Traffic {
        let sent = self.counts.snapshot();
        let heard = back.map(|back| back.counts.snapshot()).unwrap_or_default();
        Traffic { frames_in: heard.frames_in, bytes_in: heard.bytes_in, ..sent }
    }

    pub(super) fn is_open(&self) -> bool {
        *self.phase.borrow() == Phase::Open
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Ended { .. })
    }

    pub(super) fn was_ended_by(&self, member: u32) -> bool {
        *self.phase.borrow() == Phase::Ended { by: member }
    }

    /// Takes no more; what is in it can still be read.
    pub(super) fn finish(&self) {
        self.outbox.finish();
        self.phase.send_if_modified(|phase| {
            let was_open = *phase == Phase::Open;
            if was_open {
                *phase = Phase::Finishing;
            }
            was_open
        });
    }

    /// Ends at once; what is in it is lost. Only the first end counts.
    pub(super) fn end(&self, by: u32) {
        self.outbox.close();
        self.phase.send_if_modified(|phase| {
            let is_first = !matches!(*phase, Phase::Ended { .. });
            if is_first {
                *phase = Phase::Ended { by };
            }
            is_first
        });
    }

    /// Waits until everything was read, or never will be.
    pub(super) async fn drained(&self) {
        let mut phase = self.phase.subscribe();
        // The sender of the phase is this pipe itself.
        let _ = phase.wait_for(|phase| matches!(phase, Phase::Ended { .. })).await;
    }

    async fn read(&self, out: &mut Vec<Bytes>) -> Result<(), ReceiveError> {
        match self.outbox.ready().await {
            Waiting::Finished => Err(ReceiveError::Closed),
            Waiting::Frames(_) => {
                let mut batch = Vec::new();
                self.outbox.take(&mut batch);
                let bytes = batch.iter().map(Bytes::len).sum::<usize>();
                self.outbox.written(bytes + batch.len() * HEADER);
                self.outbox.batch_written();
                self.counts.frames_in.add(batch.len());
                self.counts.bytes_in.add(bytes);
                out.append(&mut batch);
                Ok(())
            }
        }
    }
}

/// The receiving end of a pipe.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) pipe: Arc<Pipe>,
    /// Who reads.
    pub(super) own: u32,
    pub(super) hub: Arc<Hub>,
}

impl Incoming for Reader {
    fn peer(&self) -> &Peer {
        &self.pipe.sender
    }

    fn next_batch<'a>(&'a mut self, out: &'a mut Vec<Bytes>) -> NextBatch<'a> {
        Box::pin(async {
            let mut phase = self.pipe.phase.subscribe();
            tokio::select! {
                biased;
                _ = phase.wait_for(|phase| matches!(phase, Phase::Ended { .. })) => {
                    let own = self.pipe.was_ended_by(self.own);
                    Err(if own { ReceiveError::Cut } else { ReceiveError::Closed })
                }
                read = self.pipe.read(out) => read,
            }
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.pipe.end(self.own);
        self.hub.change(|_| ());
    }
}
