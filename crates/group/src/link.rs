//! The sending end: one task writes all frames to one process.
//!
//! It takes everything that waits and writes it in as few pieces as possible. A frame alone goes at once.
//! When it has company, the writer first lets the other tasks that are ready run once, so that their frames
//! come along: in a runtime of several threads it would otherwise be woken after nearly every frame. Company
//! shows in any of these: more than one frame waits; more than one did the last time; nothing came from the
//! other side since the last write, so that one is still unanswered. It never waits on a timer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::contact::Contact;
use crate::counters::TrafficCounts;
use crate::group_state::GroupState;
use crate::outbox::{Outbox, Waiting};
use crate::wire::Wire;

/// The longest single write. Longer ones leave the processor's cache under TLS and cost double.
const WRITE_BYTES: usize = 64 << 10;
/// A list of frames that grew beyond this many in a burst is given back.
const BATCH_KEPT: usize = 4096;

/// How a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything was written.
    Finished,
    /// What waited, and perhaps what was written, did not arrive.
    Lost,
}

/// Writes what one of the contact's outboxes gets until the link is lost, cut, or finished. A connection
/// above 0 is finished when it was idle for the time that the options say.
pub(crate) async fn run(node: Arc<GroupState>, contact: Arc<Contact>, connection: usize, wire: Wire) -> End {
    let mut cut = contact.cut();
    let mut link = Link {
        wire,
        contact: &contact,
        outbox: contact.outbox_of(connection),
        idle_limit: (connection > 0).then_some(node.options.connection_idle),
        totals: &node.counts.traffic,
        piece: Vec::with_capacity(WRITE_BYTES),
        batch: Vec::new(),
        heard: None,
    };
    tokio::select! {
        biased;
        _ = cut.wait_for(|cut| *cut) => End::Lost,
        lost = link.write_all() => match lost {
            Ok(()) => {
                tracing::debug!(peer = contact.peer.name, connection, "link finished");
                End::Finished
            }
            Err(error) => {
                tracing::debug!(peer = contact.peer.name, connection, %error, "link lost");
                End::Lost
            }
        },
    }
}

struct Link<'a> {
    wire: Wire,
    contact: &'a Contact,
    outbox: &'a Outbox,
    idle_limit: Option<Duration>,
    totals: &'a TrafficCounts,
    piece: Vec<u8>,
    batch: Vec<Bytes>,
    /// How many frames had come from the process when the last batch was taken.
    heard: Option<u64>,
}

impl Link<'_> {
    async fn write_all(&mut self) -> std::io::Result<()> {
        let mut busy = false;
        loop {
            let waiting = tokio::select! {
                biased;
                waiting = self.outbox.ready() => waiting,
                end = silence(&mut self.wire) => return Err(end),
                () = idle(self.idle_limit) => {
                    // What came in this moment is still written.
                    self.outbox.finish();
                    continue;
                }
            };
            let Waiting::Frames(frames) = waiting else { return self.wire.shutdown().await };
            let heard = Some(self.contact.traffic.frames_in.get());
            if busy || frames > 1 || heard == self.heard {
                tokio::task::yield_now().await;
            }
            self.outbox.take(&mut self.batch);
            busy = self.batch.len() > 1;
            self.heard = heard;
            self.write_batch().await?;
        }
    }

    async fn write_batch(&mut self) -> std::io::Result<()> {
        for counts in [self.totals, &self.contact.traffic] {
            counts.frames_out.add(self.batch.len());
        }
        let mut batch = std::mem::take(&mut self.batch);
        for frame in batch.drain(..) {
            let length = u32::try_from(frame.len()).expect("the outbox takes no frame above FRAME_LIMIT");
            self.append(&length.to_be_bytes()).await?;
            self.append(&frame).await?;
        }
        if batch.capacity() <= BATCH_KEPT {
            self.batch = batch;
        }
        self.write_piece().await?;
        self.wire.flush().await?;
        self.outbox.batch_written();
        Ok(())
    }

    async fn append(&mut self, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            let room = WRITE_BYTES - self.piece.len();
            let (fitting, rest) = bytes.split_at(room.min(bytes.len()));
            self.piece.extend_from_slice(fitting);
            bytes = rest;
            if self.piece.len() == WRITE_BYTES {
                self.write_piece().await?;
            }
        }
        Ok(())
    }

    async fn write_piece(&mut self) -> std::io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        self.wire.write_all(&self.piece).await?;
        self.outbox.written(self.piece.len());
        for counts in [self.totals, &self.contact.traffic] {
            counts.bytes_out.add(self.piece.len());
            counts.writes.up();
        }
        self.piece.clear();
        Ok(())
    }
}

/// Ends after `limit`, if there is one.
async fn idle(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Ends when the connection does: the other side never speaks here after its HELLO. Rule 1.1.
async fn silence(wire: &mut Wire) -> std::io::Error {
    let mut byte = [0];
    match wire.read(&mut byte).await {
        Ok(0) => std::io::ErrorKind::UnexpectedEof.into(),
        Ok(_) => {
            std::io::Error::new(std::io::ErrorKind::InvalidData, "the other side spoke on a one-way link")
        }
        Err(error) => error,
    }
}
