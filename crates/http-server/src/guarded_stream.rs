//! A client's stream as the HTTP engine reads and writes it: here the time limits of a connection hold.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::Limits;
use crate::connection_state::{ConnectionState, Wait};
use crate::frame_guard::FrameGuard;
use crate::stall_timer::StallTimer;

/// While the server stops, an answer whose client takes no byte for this long is not waited for.
const STOP_STALL: Duration = Duration::from_secs(2);
/// While the server stops, a head that began longer ago than this is not waited for.
const STOP_HEAD: Duration = Duration::from_secs(1);
/// A stalled write looks this often whether the server stops.
const STOP_CHECK: Duration = Duration::from_secs(1);
/// Most bytes with which a connection that was at rest begins again.
const FIRST_BYTES: usize = 64;
/// The response to a client whose head did not come in time (HTTP/1.1 alone).
const HEAD_TIMED_OUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How long a client is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    head: Duration,
    next_request: Duration,
    write: Duration,
    tunnel: Duration,
}

impl Patience {
    /// `tunnel`: how long no byte may pass after the protocol was switched.
    pub(crate) fn new(limits: &Limits, tunnel: Duration) -> Self {
        let (head, next_request, write) = (limits.head_timeout, limits.keep_alive, limits.write_timeout);
        Self { head, next_request, write, tunnel }
    }

    fn of(&self, wait: Wait) -> Duration {
        match wait {
            Wait::NextRequest => self.next_request,
            Wait::Head => self.head,
            Wait::Tunnel => self.tunnel,
        }
    }
}

/// The stream of one connection.
#[derive(Debug)]
pub(crate) struct GuardedStream<S> {
    stream: S,
    state: Arc<ConnectionState>,
    patience: Patience,
    reading: StallTimer,
    writing: StallTimer,
    /// Since when the client has taken no byte of what is to be written.
    stalled_since: Option<Instant>,
    /// Follows the frames of HTTP/2.
    frames: Option<FrameGuard>,
    began: Instant,
    /// Bytes that were read and are to be read again.
    unread: Bytes,
    /// The interim answer that is being written.
    interim: Option<Bytes>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> GuardedStream<S> {
    /// `h2_control_rate` is given where the connection speaks HTTP/2.
    pub(crate) fn new(
        stream: S,
        state: Arc<ConnectionState>,
        patience: Patience,
        h2_control_rate: Option<u32>,
    ) -> Self {
        Self {
            stream,
            state,
            patience,
            reading: StallTimer::default(),
            writing: StallTimer::default(),
            stalled_since: None,
            frames: h2_control_rate.map(FrameGuard::new),
            began: Instant::now(),
            unread: Bytes::new(),
            interim: None,
        }
    }

    /// Waits for the next bytes, which are to be read again; none at the end. It holds no buffer meanwhile.
    pub(crate) async fn wait_for_bytes(&mut self) -> io::Result<bool> {
        let came = poll_fn(|cx| {
            let mut space = [0; FIRST_BYTES];
            let mut buf = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut *self).poll_read(cx, &mut buf))?;
            Poll::Ready(io::Result::Ok(Bytes::copy_from_slice(buf.filled())))
        })
        .await?;
        self.unread = came;
        Ok(!self.unread.is_empty())
    }

    /// These bytes are to be read again, before all others.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }

    /// An error once the client has been waited for long enough.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some((wait, since)) = self.state.wait() else { return Poll::Pending };
        // In HTTP/2 a frame that begins no request is no head.
        let wait = if wait == Wait::Head && self.frames.is_some() { Wait::NextRequest } else { wait };
        let mut patience = self.patience.of(wait);
        if wait == Wait::Head && self.state.is_stopping() {
            patience = patience.min(STOP_HEAD);
        }
        let deadline = since + patience;
        ready!(self.reading.poll_until(cx, deadline));
        if wait == Wait::NextRequest && self.frames.is_some() {
            // The client is told which of its requests count, and may take the time of a head to end.
            self.state.close.notify_one();
            ready!(self.reading.poll_until(cx, deadline + self.patience.head));
        }
        if wait == Wait::Head {
            // The client may be gone, or take nothing: that changes nothing.
            let _ = Pin::new(&mut self.stream).poll_write(cx, HEAD_TIMED_OUT);
            let _ = Pin::new(&mut self.stream).poll_flush(cx);
        }
        let text = match wait {
            Wait::NextRequest => "no further request came",
            Wait::Head => "the head of a request did not come in time",
            Wait::Tunnel => "no byte passed",
        };
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
    }

    /// Passes the outcome of a write on; an error once the client has taken nothing for too long.
    fn check_stall<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled_since = None;
            return outcome;
        }
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        loop {
            let limit = if self.state.is_stopping() {
                STOP_STALL.min(self.patience.write)
            } else {
                self.patience.write
            };
            let deadline = since + limit;
            if deadline <= Instant::now() {
                let text = "the client takes nothing of what it is sent";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
            }
            ready!(self.writing.poll_until(cx, deadline.min(Instant::now() + STOP_CHECK)));
        }
    }

    /// Writes the interim answers that wait. Only while nothing of the engine's is half written: it flushes
    /// when all of that is out.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(bytes) = &mut self.interim {
                while bytes.has_remaining() {
                    let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
                    bytes.advance(written);
                }
                self.interim = None;
            }
            let mut queue = self.state.interim.lock();
            if queue.bytes.is_empty() {
                if queue.writer.as_ref().is_none_or(|writer| !writer.will_wake(cx.waker())) {
                    queue.writer = Some(cx.waker().clone());
                }
                return Poll::Ready(Ok(()));
            }
            self.interim = Some(queue.bytes.remove(0));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.unread.has_remaining() {
            let count = this.unread.len().min(buf.remaining());
            buf.put_slice(&this.unread.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) else {
            return this.poll_wait(cx);
        };
        read?;
        let came = &buf.filled()[before..];
        if !came.is_empty() {
            this.state.note_read();
            if let Some(frames) = &mut this.frames
                && frames.read(came, this.began.elapsed()).is_err()
            {
                tracing::debug!("a connection was closed: too many HTTP/2 frames that carry nothing");
                let text = "too many HTTP/2 frames that carry nothing";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.state.begin_write();
        if this.interim.is_some() {
            let interim = this.poll_interim(cx);
            ready!(this.check_stall(cx, interim))?;
        }
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        if written.is_ready() {
            this.state.note_write();
        }
        this.check_stall(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.state.begin_write();
        if this.interim.is_some() {
            let interim = this.poll_interim(cx);
            ready!(this.check_stall(cx, interim))?;
        }
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        if written.is_ready() {
            this.state.note_write();
        }
        this.check_stall(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.frames.is_none() {
            let interim = this.poll_interim(cx);
            ready!(this.check_stall(cx, interim))?;
        }
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        if flushed.is_ready() {
            this.state.note_flush();
        }
        this.check_stall(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let ended = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.check_stall(cx, ended)
    }
}
