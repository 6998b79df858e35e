//! The receiving end of another process's link: its owner pulls frames from it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::watch;

use crate::channel::{Incoming, NextBatch};
use crate::contact::Contact;
use crate::error::ReceiveError;
use crate::frame::{Splitter, TooLong};
use crate::group_state::GroupState;
use crate::handshake_refusal::HandshakeRefusal;
use crate::identity::Peer;
use crate::wire::Wire;

/// Bytes taken at once from the connection.
const READ_BYTES: usize = 64 << 10;
/// A batch ends after this many bytes even if more are there, so that their receiver gets a turn.
const BATCH_BYTES: usize = 256 << 10;

/// An accepted, authenticated connection. Frames come in the order in which they were sent on this
/// connection; nothing is sent back on it. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Inbound {
    node: Arc<GroupState>,
    contact: Arc<Contact>,
    connection: usize,
    cut: watch::Receiver<bool>,
    stream: Stream,
}

/// The bytes, and what is left of them between two batches.
#[derive(Debug)]
struct Stream {
    wire: Wire,
    buffer: Box<[u8]>,
    splitter: Splitter,
    ended: Option<ReceiveError>,
}

impl Inbound {
    /// Takes a place among the connections of `contact`.
    pub(crate) fn new(
        node: Arc<GroupState>,
        contact: Arc<Contact>,
        connection: usize,
        wire: Wire,
    ) -> Result<Self, HandshakeRefusal> {
        contact.begin_inbound(connection)?;
        let stream = Stream {
            wire,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            splitter: Splitter::default(),
            ended: None,
        };
        Ok(Self { node, cut: contact.cut(), contact, connection, stream })
    }

    pub(crate) fn wire(&mut self) -> &mut Wire {
        &mut self.stream.wire
    }
}

impl Incoming for Inbound {
    fn peer(&self) -> &Peer {
        &self.contact.peer
    }

    fn connection(&self) -> usize {
        self.connection
    }

    fn next_batch<'a>(&'a mut self, out: &'a mut Vec<Bytes>) -> NextBatch<'a> {
        Box::pin(async {
            let before = out.len();
            let stream = &mut self.stream;
            let read = tokio::select! {
                biased;
                _ = self.cut.wait_for(|cut| *cut) => return Err(ReceiveError::Cut),
                read = poll_fn(|cx| stream.poll_batch(cx, out)) => read?,
            };
            for counts in [&self.node.counts.traffic, &self.contact.traffic] {
                counts.frames_in.add(out.len() - before);
                counts.bytes_in.add(read);
            }
            Ok(())
        })
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        self.contact.end_inbound(self.connection);
    }
}

impl Stream {
    /// Reads until nothing more is there, then gives the number of bytes if they completed a frame.
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Vec<Bytes>,
    ) -> Poll<Result<usize, ReceiveError>> {
        if let Some(end) = self.ended.take() {
            return Poll::Ready(Err(end));
        }
        let before = out.len();
        let mut bytes = 0;
        loop {
            let complete = out.len() > before;
            match self.poll_chunk(cx, out) {
                Poll::Ready(Ok(read)) => bytes += read,
                Poll::Ready(Err(end)) if out.len() > before => {
                    self.ended = Some(end);
                    return Poll::Ready(Ok(bytes));
                }
                Poll::Ready(Err(end)) => return Poll::Ready(Err(end)),
                Poll::Pending if complete => return Poll::Ready(Ok(bytes)),
                Poll::Pending => return Poll::Pending,
            }
            if bytes >= BATCH_BYTES && out.len() > before {
                return Poll::Ready(Ok(bytes));
            }
        }
    }

    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Vec<Bytes>,
    ) -> Poll<Result<usize, ReceiveError>> {
        let mut chunk = ReadBuf::new(&mut self.buffer);
        if let Err(error) = ready!(Pin::new(&mut self.wire).poll_read(cx, &mut chunk)) {
            // A process that was killed says no good-bye.
            let killed = error.kind() == std::io::ErrorKind::UnexpectedEof;
            return Poll::Ready(Err(if killed { ReceiveError::Closed } else { error.into() }));
        }
        if chunk.filled().is_empty() {
            return Poll::Ready(Err(ReceiveError::Closed));
        }
        let fed = self.splitter.feed(chunk.filled(), out);
        Poll::Ready(match fed {
            Ok(()) => Ok(chunk.filled().len()),
            Err(TooLong(length)) => Err(ReceiveError::TooLong(length)),
        })
    }
}
