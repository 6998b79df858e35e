//! One HTTP/1.1 connection to a node, for one request at a time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::backend_stream::{BackendStream, ByteCounts};
use crate::body::RequestBody;
use crate::dial::dial;
use crate::retry::AttemptError;

/// Longest wait for a connection that is still busy with the end of its last exchange.
const READY_TIMEOUT: Duration = Duration::from_millis(100);
/// Most bytes of a head, and of the buffer for reading, on connections to nodes and to clients.
pub(crate) const HEAD_BOUND: usize = 64 * 1024;

/// A connection to a node.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<RequestBody>,
    traffic: Arc<ByteCounts>,
}

impl Connection {
    /// Opens one to `host:port`.
    pub(crate) async fn open(address: &str) -> io::Result<Self> {
        let tcp = dial(address).await?;
        let traffic = Arc::new(ByteCounts::default());
        let stream = TokioIo::new(BackendStream::new(tcp, Arc::clone(&traffic)));
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(HEAD_BOUND)
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        // The driver ends with the sender. Whoever waits for a response hears of its error too, so it is told
        // here only for the reader of a trace.
        tokio::spawn(async move {
            if let Err(cause) = driver.with_upgrades().await {
                tracing::trace!(%cause, "a connection to a node ended");
            }
        });
        Ok(Self { sender, traffic })
    }

    /// Whether it can take another request.
    pub(crate) async fn is_ready(&mut self) -> bool {
        self.sender.is_ready()
            || (!self.sender.is_closed()
                && timeout(READY_TIMEOUT, self.sender.ready()).await.is_ok_and(|ready| ready.is_ok()))
    }

    /// Sends a request and waits at most `limit` for the head of its response.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
        limit: Duration,
    ) -> Result<Response<Incoming>, AttemptError> {
        let (written, read) = self.traffic.begin();
        let cause = match timeout(limit, self.sender.try_send_request(request)).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => error.into_error(),
            Err(_) => return Err(AttemptError::Silent),
        };
        match self.traffic.bytes() {
            (now, _) if now == written => Err(AttemptError::NotSent(cause)),
            (_, now) if now == read => Err(AttemptError::NoAnswer(cause)),
            _ => Err(AttemptError::BrokenAnswer(cause)),
        }
    }
}
