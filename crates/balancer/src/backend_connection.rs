//! One HTTP/1.1 connection to a node, for one request at a time.
//!
//! The HTTP engine of a connection runs where its request runs: whoever waits for a response, or for the next
//! part of its body, drives it. A task of its own for each connection would cost two changes of tasks for
//! each request. Only where a request's body streams, or the connection becomes a tunnel, does it go on by
//! itself.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use sessile_http_server::Limits;
use tokio::time::timeout;

use crate::backend_stream::{BackendStream, ByteCounts};
use crate::body::OutgoingBody;
use crate::dial::{Opening, dial};
use crate::retry::{AttemptError, ClientFailure};

/// Longest wait for a connection that is still busy with the end of its last exchange.
const READY_TIMEOUT: Duration = Duration::from_millis(100);
/// The HTTP engine of a connection.
type Engine = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A connection to a node.
pub(crate) struct Connection {
    sender: SendRequest<OutgoingBody>,
    /// Nothing once it has ended, or runs by itself.
    engine: Option<Engine>,
    traffic: Arc<ByteCounts>,
}

impl Connection {
    /// Opens one to `host:port`, for answers within these limits.
    pub(crate) async fn open(address: &str, opening: Opening<'_>, limits: &Limits) -> io::Result<Self> {
        let transport = dial(address, opening).await?;
        let traffic = Arc::new(ByteCounts::default());
        let stream = TokioIo::new(BackendStream::new(transport, Arc::clone(&traffic)));
        let (sender, engine) = http1::Builder::new()
            .max_buf_size(limits.head_size)
            .max_headers(limits.headers as usize)
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        Ok(Self { sender, engine: Some(Box::pin(engine.with_upgrades())), traffic })
    }

    /// Lets the engine run by itself from now on.
    pub(crate) fn detach(&mut self) {
        if let Some(engine) = self.engine.take() {
            // The task that waits for a response gets its error too.
            tokio::spawn(async move { trace_end(engine.await) });
        }
    }

    /// Lets the engine do what it can do now.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(engine) = &mut self.engine
            && let Poll::Ready(ended) = engine.as_mut().poll(cx)
        {
            self.engine = None;
            trace_end(ended);
        }
    }

    /// Whether it can take another request.
    pub(crate) async fn is_ready(&mut self) -> bool {
        let ready = poll_fn(|cx| {
            self.drive(cx);
            self.sender.poll_ready(cx)
        });
        timeout(READY_TIMEOUT, ready).await.is_ok_and(|ready| ready.is_ok())
    }

    /// Sends a request and waits until `late` is ready for the head of its response; less when `abandoned` is
    /// ready and no byte of the response has come.
    pub(crate) async fn send(
        &mut self,
        request: Request<OutgoingBody>,
        late: impl Future<Output = ()>,
        abandoned: impl Future<Output = ()>,
    ) -> Result<Response<Incoming>, AttemptError> {
        let (written, read) = self.traffic.begin();
        let traffic = Arc::clone(&self.traffic);
        let mut response = pin!(self.sender.try_send_request(request));
        let mut answered = pin!(async {
            let answered = poll_fn(|cx| {
                self.drive(cx);
                response.as_mut().poll(cx)
            });
            tokio::select! {
                biased;
                answered = answered => Some(answered),
                () = late => None,
            }
        });
        let answered = tokio::select! {
            biased;
            answered = &mut answered => answered,
            () = abandoned => match traffic.bytes() {
                (_, now) if now == read => return Err(AttemptError::NodeLost),
                _ => answered.await,
            },
        };
        let cause = match answered {
            Some(Ok(response)) => return Ok(response),
            Some(Err(error)) => error.into_error(),
            None => return Err(AttemptError::Silent),
        };
        if let Some(failure) = ClientFailure::of(&cause) {
            return Err(AttemptError::ClientFailed(failure));
        }
        match traffic.bytes() {
            (now, _) if now == written => Err(AttemptError::NotSent(cause)),
            (_, now) if now == read => Err(AttemptError::NoAnswer(cause)),
            _ => Err(AttemptError::BrokenAnswer(cause)),
        }
    }
}

fn trace_end(ended: hyper::Result<()>) {
    if let Err(cause) = ended {
        tracing::trace!(%cause, "a connection to a node ended");
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("traffic", &self.traffic).finish_non_exhaustive()
    }
}
