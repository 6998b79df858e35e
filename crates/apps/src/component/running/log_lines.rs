//! Output of a guest, line by line in the node's log.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// A longer line is logged in pieces of this size.
const MAX_LINE_BYTES: usize = 4 * 1024;
/// Most output of one request; the rest is dropped with a warning.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// The output of one instance. Clones write to the same line.
#[derive(Clone)]
pub(super) struct LogLines(Arc<Mutex<Lines>>);

struct Lines {
    app: Arc<str>,
    unfinished: Vec<u8>,
    /// Remaining output of the request, in bytes.
    left: usize,
}

impl LogLines {
    /// The output of an instance of the application `app`.
    pub(super) fn of(app: Arc<str>) -> Self {
        Self(Arc::new(Mutex::new(Lines { app, unfinished: Vec::new(), left: MAX_REQUEST_BYTES })))
    }

    /// Ends a request: logs its last line and resets the limit.
    pub(super) fn end_request(&self) {
        let mut lines = self.0.lock();
        lines.tell();
        lines.left = MAX_REQUEST_BYTES;
    }
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) {
        let taken = &bytes[..bytes.len().min(self.left)];
        for byte in taken {
            if *byte == b'\n' || self.unfinished.len() == MAX_LINE_BYTES {
                self.tell();
            }
            if *byte != b'\n' {
                self.unfinished.push(*byte);
            }
        }
        if self.left > 0 && taken.len() == self.left {
            self.tell();
            tracing::warn!(app = %self.app, "the component printed {MAX_REQUEST_BYTES} bytes in one request: the rest is dropped");
        }
        self.left -= taken.len();
    }

    fn tell(&mut self) {
        if !self.unfinished.is_empty() {
            tracing::info!(target: "sessile::guest", app = %self.app, "{}", self.unfinished.escape_ascii());
            self.unfinished.clear();
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.tell();
    }
}

impl IsTerminal for LogLines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogLines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for LogLines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.lock().take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_REQUEST_BYTES)
    }
}

#[async_trait]
impl Pollable for LogLines {
    async fn ready(&mut self) {}
}

impl AsyncWrite for LogLines {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
