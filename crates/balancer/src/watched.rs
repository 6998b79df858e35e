//! A connection to a node that knows whether a request left and whether an answer began: what decides if a request
//! may be sent again.
//!
//! Idle connections are the trap. A node that restarted has closed them; the news may lie unread in the kernel while
//! the next POST is being written, and then nobody knows what became of it. So just before the first byte of each
//! request the socket itself is asked. If it has ended, or holds bytes that nobody asked for, nothing is written
//! and the request goes over another connection. What remains is the node that ends between that question and the
//! arrival of the bytes: there a POST answers 502 and is not repeated.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What has gone over a connection. One request is under way at a time, and its end passes through a channel, which
/// orders these counters.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    written: AtomicU64,
    read: AtomicU64,
    /// The next write begins a request.
    begins: AtomicBool,
}

impl Traffic {
    /// Says that the next write begins a request; answers the bytes written and read until now.
    pub(crate) fn begin(&self) -> (u64, u64) {
        self.begins.store(true, Relaxed);
        self.bytes()
    }

    /// Bytes written and read since the connection began.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.written.load(Relaxed), self.read.load(Relaxed))
    }
}

/// The TCP connection whose traffic is counted.
#[derive(Debug)]
pub(crate) struct Watched {
    tcp: TcpStream,
    traffic: Arc<Traffic>,
}

impl Watched {
    pub(crate) fn new(tcp: TcpStream, traffic: Arc<Traffic>) -> Self {
        Self { tcp, traffic }
    }

    /// Asks the socket (not the runtime's memory of it) whether a request can still go out on it.
    fn check_before_request(&self) -> io::Result<()> {
        if !self.traffic.begins.swap(false, Relaxed) {
            return Ok(());
        }
        let mut byte = [MaybeUninit::uninit()];
        match SockRef::from(&self.tcp).peek(&mut byte) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the node had closed it")),
            Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the node sent bytes before a request")),
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(cause) => Err(cause),
        }
    }

    fn count_written(&self, written: io::Result<usize>) -> io::Result<usize> {
        let count = written?;
        self.traffic.written.fetch_add(count as u64, Relaxed);
        Ok(count)
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buf))?;
        self.traffic.read.fetch_add((buf.filled().len() - before) as u64, Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check_before_request()?;
        let written = ready!(Pin::new(&mut self.tcp).poll_write(cx, buf));
        Poll::Ready(self.count_written(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_before_request()?;
        let written = ready!(Pin::new(&mut self.tcp).poll_write_vectored(cx, slices));
        Poll::Ready(self.count_written(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
