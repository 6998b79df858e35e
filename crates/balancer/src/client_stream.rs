//! A client's connection as the balancer reads and writes it. All that passes, passes here: it records the
//! time of the last byte, and shows the traffic where that is wished.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::activity::Activity;
use crate::traffic_dump::TrafficDump;

/// The client's side of everything.
#[derive(Debug)]
pub(crate) struct ClientStream<S> {
    stream: S,
    activity: Arc<Activity>,
    dump: Option<TrafficDump>,
}

impl<S> ClientStream<S> {
    pub(crate) fn new(stream: S, peer: SocketAddr, dump: bool) -> Self {
        Self { stream, activity: Arc::new(Activity::new()), dump: dump.then_some(TrafficDump(peer)) }
    }

    pub(crate) fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }

    fn after_write(&self, slices: &[io::IoSlice<'_>], mut written: usize) {
        self.activity.add_sent(written);
        let Some(dump) = &self.dump else { return };
        for slice in slices {
            let shown = written.min(slice.len());
            dump.received(&slice[..shown]);
            written -= shown;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let came = &buf.filled()[before..];
        self.activity.touch();
        if let Some(dump) = &self.dump {
            dump.sent(came);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.after_write(&[io::IoSlice::new(buf)], written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.after_write(slices, written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
