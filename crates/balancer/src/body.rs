//! Bodies on their way through. Responses stream. Small request bodies are buffered, so that the request can be
//! sent again; larger ones stream and are sent once.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::backend::{ActiveRequest, Backend};
use crate::backend_connection::Connection;

/// Request bodies up to this size are buffered and can be sent again.
pub(crate) const REPLAY_BOUND: usize = 64 * 1024;
/// Longest wait for a body of known small size.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// A body of unknown size that is not complete after this time streams: its client may want an answer before
/// its end.
const CHUNKED_BUFFER_TIME: Duration = Duration::from_millis(100);

/// A request's body as it came from the client.
#[derive(Debug)]
pub(crate) enum RequestPayload {
    /// All of it.
    Buffered(Bytes),
    /// Its beginning and the rest that is still coming; nothing once it was taken.
    Streaming(Option<RequestBody>),
}

/// Why a body was not taken from the client.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It did not come in time.
    Slow,
    /// Its framing is wrong, or the client went away.
    Broken(hyper::Error),
}

impl RequestPayload {
    /// Takes what can be buffered of a body, and decides whether it streams. Trailers of a buffered body are dropped.
    pub(crate) async fn receive(mut body: Incoming) -> Result<Self, BodyError> {
        if body.is_end_stream() {
            return Ok(Self::Buffered(Bytes::new()));
        }
        let known = body.size_hint().exact();
        if known.is_some_and(|size| size > REPLAY_BOUND as u64) {
            return Ok(Self::streaming(Bytes::new(), body));
        }
        let limit = if known.is_some() { BODY_TIMEOUT } else { CHUNKED_BUFFER_TIME };
        let deadline = Instant::now() + limit;
        let mut buffered = BytesMut::new();
        while buffered.len() <= REPLAY_BOUND {
            match timeout_at(deadline, body.frame()).await {
                Ok(Some(Ok(frame))) => buffered.extend(frame.into_data()),
                Ok(Some(Err(cause))) => return Err(BodyError::Broken(cause)),
                Ok(None) => return Ok(Self::Buffered(buffered.freeze())),
                Err(_) if known.is_some() => return Err(BodyError::Slow),
                Err(_) => break,
            }
        }
        Ok(Self::streaming(buffered.freeze(), body))
    }

    fn streaming(first: Bytes, rest: Incoming) -> Self {
        Self::Streaming(Some(RequestBody { first, rest: Some(rest) }))
    }

    /// Whether it can be sent again.
    pub(crate) fn is_replayable(&self) -> bool {
        matches!(self, Self::Buffered(_))
    }

    /// The body to send now; a flowing one only once, then nothing.
    pub(crate) fn outgoing(&mut self) -> RequestBody {
        match self {
            Self::Buffered(bytes) => RequestBody { first: bytes.clone(), rest: None },
            Self::Streaming(body) => body.take().unwrap_or_else(RequestBody::empty),
        }
    }
}

/// A request's body on its way to a node: what is at hand, then what the client still sends.
#[derive(Debug)]
pub(crate) struct RequestBody {
    first: Bytes,
    rest: Option<Incoming>,
}

impl RequestBody {
    pub(crate) fn empty() -> Self {
        Self { first: Bytes::new(), rest: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.len() as u64;
        let Some(rest) = &self.rest else { return SizeHint::with_exact(first) };
        let mut hint = rest.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + first);
        }
        hint.set_lower(hint.lower() + first);
        hint
    }
}

/// A connection in use, which goes back to its node's pool at the end of the response.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) node: Arc<Backend>,
    pub(crate) connection: Connection,
}

fn return_to_pool(lease: &mut Option<Lease>) {
    if let Some(Lease { node, connection }) = lease.take() {
        node.idle.put(connection);
    }
}

/// A response's body on its way to the client.
#[derive(Debug)]
pub(crate) enum ResponseBody {
    /// From a node. Dropped before its end, it takes its connection with it: what is left of it on that wire
    /// is nobody's.
    Node {
        /// What the node sends.
        body: Incoming,
        /// The connection, if it is to be used again.
        lease: Option<Lease>,
        /// Counts the request at its node until the body is dropped; a tunnel counts itself.
        _active: Option<ActiveRequest>,
    },
    /// The balancer's own words.
    Text(Bytes),
}

impl ResponseBody {
    pub(crate) fn from_node(body: Incoming, lease: Option<Lease>, active: Option<ActiveRequest>) -> Self {
        let mut lease = lease;
        if body.is_end_stream() {
            return_to_pool(&mut lease);
        }
        Self::Node { body, lease, _active: active }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Text(text) if text.is_empty() => Poll::Ready(None),
            Self::Text(text) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
            Self::Node { body, lease, .. } => {
                let frame = ready!(Pin::new(&mut *body).poll_frame(cx)).transpose()?;
                if frame.is_none() || body.is_end_stream() {
                    return_to_pool(lease);
                }
                Poll::Ready(frame.map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Node { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.len() as u64),
            Self::Node { body, .. } => body.size_hint(),
        }
    }
}
