//! A connection to a node that knows whether a request left and whether an answer began: what decides if a
//! request may be sent again.
//!
//! Idle connections are the trap. A node that restarted has closed them; the news may lie unread in the
//! kernel while the next POST is being written, and then nobody knows what became of it. So just before the
//! first byte of each request the socket itself is asked. If it has ended, or holds bytes that nobody asked
//! for, nothing is written and the request goes over another connection. What remains is the node that ends
//! between that question and the arrival of the bytes: there a POST answers 502 and is not retried.
//!
//! A node may answer and close before it has read a long upload. The writing side then breaks while the
//! answer lies ready on the reading side, so a break within a request is left for the reading side to tell.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use sessile_http_server::Transport;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The bytes of a connection. One request is under way at a time, and its end passes through a channel,
/// which orders these counters.
#[derive(Debug, Default)]
pub(crate) struct ByteCounts {
    written: AtomicU64,
    read: AtomicU64,
    /// The next byte written begins a request.
    begins: AtomicBool,
}

impl ByteCounts {
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
pub(crate) struct BackendStream {
    transport: Transport,
    traffic: Arc<ByteCounts>,
    /// Bytes of this request have been written.
    begun: bool,
    /// The node takes no more bytes; what it said before is still to be read.
    write_closed: bool,
}

impl BackendStream {
    pub(crate) fn new(transport: Transport, traffic: Arc<ByteCounts>) -> Self {
        Self { transport, traffic, begun: false, write_closed: false }
    }

    /// Asks the socket (not the runtime's memory of it) whether a request can still go out on it.
    fn check_before_request(&mut self) -> io::Result<()> {
        if !self.traffic.begins.load(Relaxed) {
            return Ok(());
        }
        self.begun = false;
        let mut byte = [MaybeUninit::uninit()];
        match SockRef::from(self.transport.tcp()).peek(&mut byte) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the node had closed it")),
            // After a handshake a node may send tickets, which are read with the first answer.
            Ok(_) if matches!(self.transport, Transport::TlsClient(_)) && self.traffic.bytes() == (0, 0) => {
                Ok(())
            }
            Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the node sent bytes before a request")),
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(cause) => Err(cause),
        }
    }

    /// Counts what was written of `wanted` bytes; takes them all for written once the node reads no more.
    fn after_write(&mut self, written: io::Result<usize>, wanted: usize) -> io::Result<usize> {
        match written {
            Ok(count) => {
                self.begun = true;
                self.traffic.begins.store(false, Relaxed);
                self.traffic.written.fetch_add(count as u64, Relaxed);
                Ok(count)
            }
            Err(cause) if self.begun => {
                tracing::trace!(%cause, "the node takes no more of the request");
                self.write_closed = true;
                Ok(wanted)
            }
            Err(cause) => Err(cause),
        }
    }
}

impl AsyncRead for BackendStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.transport).poll_read(cx, buf))?;
        self.traffic.read.fetch_add((buf.filled().len() - before) as u64, Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for BackendStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check_before_request()?;
        if self.write_closed {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = ready!(Pin::new(&mut self.transport).poll_write(cx, buf));
        Poll::Ready(self.after_write(written, buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_before_request()?;
        let wanted = slices.iter().map(|slice| slice.len()).sum();
        if self.write_closed {
            return Poll::Ready(Ok(wanted));
        }
        let written = ready!(Pin::new(&mut self.transport).poll_write_vectored(cx, slices));
        Poll::Ready(self.after_write(written, wanted))
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use tokio::net::TcpStream;

    use super::*;

    /// A connection and its other end, which the runtime does not watch.
    async fn pair() -> (BackendStream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        near.set_nonblocking(true).unwrap();
        let near = TcpStream::from_std(near).unwrap();
        near.writable().await.unwrap();
        (BackendStream::new(Transport::Plain(near), Arc::default()), listener.accept().unwrap().0)
    }

    /// Waits for news from the other end without letting the runtime hear of it, then writes as a request
    /// would.
    fn write_after_news(watched: &mut BackendStream) -> Poll<io::Result<usize>> {
        let socket = SockRef::from(watched.transport.tcp());
        while socket
            .peek(&mut [MaybeUninit::uninit()])
            .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        {
            std::thread::yield_now();
        }
        watched.traffic.begin();
        Pin::new(watched).poll_write(&mut Context::from_waker(std::task::Waker::noop()), b"POST")
    }

    #[tokio::test]
    async fn no_request_is_written_to_a_connection_that_has_ended() {
        let (mut watched, far) = pair().await;
        drop(far);
        assert!(matches!(write_after_news(&mut watched), Poll::Ready(Err(_))));
        assert_eq!(watched.traffic.bytes(), (0, 0));
    }

    #[tokio::test]
    async fn no_request_is_written_behind_bytes_that_nobody_asked_for() {
        let (mut watched, mut far) = pair().await;
        far.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
        assert!(matches!(write_after_news(&mut watched), Poll::Ready(Err(_))));
        assert_eq!(watched.traffic.bytes(), (0, 0));
    }

    #[tokio::test]
    async fn within_a_request_nothing_is_asked() {
        let (mut watched, mut far) = pair().await;
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        watched.traffic.begin();
        assert!(matches!(Pin::new(&mut watched).poll_write(cx, b"POST"), Poll::Ready(Ok(4))));
        far.write_all(b"HTTP/1.1 100 Continue\r\n").unwrap();
        assert!(matches!(Pin::new(&mut watched).poll_write(cx, b"body"), Poll::Ready(Ok(4))));
        assert_eq!(watched.traffic.bytes(), (8, 0));
    }
}
