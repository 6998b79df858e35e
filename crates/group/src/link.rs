//! The sending end: one task writes all frames to one process.
//!
//! It takes everything that waits and writes it in as few pieces as possible. A frame alone goes at once. When it
//! has company, the writer first lets the other tasks that are ready run once, so that their frames come along:
//! in a runtime of several threads it would otherwise be woken after nearly every frame. Company shows in any of
//! these: more than one frame waits; more than one did the last time; nothing came from the other side since the
//! last write, so that one is still unanswered. It never waits on a timer.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::contact::Contact;
use crate::counters::TrafficCounts;
use crate::node::Node;
use crate::outbox::Waiting;
use crate::wire::Wire;

/// The longest single write. Longer ones leave the processor's cache under TLS and cost double.
const WRITE_BYTES: usize = 64 << 10;
/// A list of frames that grew beyond this many in a burst is given back.
const BATCH_KEPT: usize = 4096;

/// Writes what the contact's outbox gets until the link is lost, cut, or finished.
pub(crate) async fn run(node: Arc<Node>, contact: Arc<Contact>, wire: Wire) {
    let mut cut = contact.cut();
    let mut link = Link {
        wire,
        contact: &contact,
        totals: &node.counts.traffic,
        piece: Vec::with_capacity(WRITE_BYTES),
        batch: Vec::new(),
        heard: None,
    };
    tokio::select! {
        biased;
        _ = cut.wait_for(|cut| *cut) => {}
        lost = link.write_all() => match lost {
            Ok(()) => tracing::debug!(peer = contact.peer.name, "link finished"),
            Err(error) => tracing::debug!(peer = contact.peer.name, %error, "link lost"),
        },
    }
}

struct Link<'a> {
    wire: Wire,
    contact: &'a Contact,
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
                waiting = self.contact.outbox.ready() => waiting,
                end = silence(&mut self.wire) => return Err(end),
            };
            let Waiting::Frames(frames) = waiting else { return self.wire.shutdown().await };
            let heard = Some(self.contact.traffic.frames_in.get());
            if busy || frames > 1 || heard == self.heard {
                tokio::task::yield_now().await;
            }
            self.contact.outbox.take(&mut self.batch);
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
        self.contact.outbox.batch_written();
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
        self.contact.outbox.written(self.piece.len());
        for counts in [self.totals, &self.contact.traffic] {
            counts.bytes_out.add(self.piece.len());
            counts.writes.up();
        }
        self.piece.clear();
        Ok(())
    }
}

/// Ends when the connection does: the other side never speaks here after its HELLO.
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
