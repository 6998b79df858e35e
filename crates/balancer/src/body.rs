//! Bodies on their way through. Responses stream. Small request bodies are buffered, so that the request can
//! be sent again; larger ones stream and are sent once.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sessile_http_server::{RequestBody, RequestBodyError};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::backend::ActiveRequest;
use crate::backend_connection::Connection;
use crate::exchange::Exchange;

/// Request bodies up to this size are buffered and can be sent again.
pub(crate) const REPLAY_BOUND: usize = 64 * 1024;
/// A body of unknown size that is not complete after this time streams: its client may want an answer before
/// its end.
const CHUNKED_BUFFER_TIME: Duration = Duration::from_millis(100);

/// A request's body as it came from the client.
#[derive(Debug)]
pub(crate) enum RequestPayload {
    /// All of it, with its trailers.
    Buffered(Bytes, Option<HeaderMap>),
    /// Its beginning and the rest that is still coming; nothing once it was taken.
    Streaming(Option<OutgoingBody>),
}

impl RequestPayload {
    /// Takes what can be buffered of a body, and decides whether it streams.
    pub(crate) async fn receive(mut body: RequestBody) -> Result<Self, RequestBodyError> {
        if body.is_end_stream() {
            return Ok(Self::Buffered(Bytes::new(), None));
        }
        let known = body.size_hint().exact();
        if known.is_some_and(|size| size > REPLAY_BOUND as u64) {
            return Ok(Self::streaming(Bytes::new(), body));
        }
        let deadline = Instant::now() + CHUNKED_BUFFER_TIME;
        let (mut buffered, mut trailers) = (BytesMut::new(), None);
        while buffered.len() <= REPLAY_BOUND {
            // A body of known size has the limits of every body; another one is not waited for.
            let frame = match known {
                Some(_) => body.frame().await,
                None => match timeout_at(deadline, body.frame()).await {
                    Ok(frame) => frame,
                    Err(_) => break,
                },
            };
            match frame.transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => buffered.extend(data),
                Some(Err(other)) => trailers = other.into_trailers().ok(),
                None => return Ok(Self::Buffered(buffered.freeze(), trailers)),
            }
        }
        Ok(Self::streaming(buffered.freeze(), body))
    }

    fn streaming(first: Bytes, rest: RequestBody) -> Self {
        Self::Streaming(Some(OutgoingBody {
            first,
            rest: Some(rest),
            trailers: None,
            complete: Arc::default(),
        }))
    }

    /// Whether it can be sent again.
    pub(crate) fn is_replayable(&self) -> bool {
        matches!(self, Self::Buffered(..))
    }

    /// The body to send now; a flowing one only once, then nothing.
    pub(crate) fn outgoing(&mut self) -> OutgoingBody {
        match self {
            Self::Buffered(bytes, trailers) => {
                OutgoingBody { first: bytes.clone(), trailers: trailers.clone(), ..OutgoingBody::empty() }
            }
            Self::Streaming(body) => body.take().unwrap_or_else(OutgoingBody::empty),
        }
    }
}

/// A request's body on its way to a node: what is at hand, then what the client still sends.
#[derive(Debug)]
pub(crate) struct OutgoingBody {
    first: Bytes,
    rest: Option<RequestBody>,
    trailers: Option<HeaderMap>,
    /// Told once the client has sent all of a body that streams.
    complete: Arc<Notify>,
}

impl OutgoingBody {
    pub(crate) fn empty() -> Self {
        Self { first: Bytes::new(), rest: None, trailers: None, complete: Arc::default() }
    }

    /// Notified once the client has sent the whole body; never for a body that is at hand.
    pub(crate) fn completion(&self) -> Arc<Notify> {
        Arc::clone(&self.complete)
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        let Some(rest) = &mut self.rest else {
            return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        };
        let frame = ready!(Pin::new(&mut *rest).poll_frame(cx));
        if frame.is_none() || rest.is_end_stream() {
            self.complete.notify_one();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.trailers.is_none() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.len() as u64;
        let Some(rest) = &self.rest else {
            // With trailers it has no length that could be told in advance.
            return if self.trailers.is_some() { SizeHint::new() } else { SizeHint::with_exact(first) };
        };
        let mut hint = rest.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + first);
        }
        hint.set_lower(hint.lower() + first);
        hint
    }
}

/// A response's body on its way to the client, with what is to be done when it ends.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    source: BodySource,
    exchange: Option<Exchange>,
}

#[derive(Debug)]
enum BodySource {
    /// From a node. Dropped before its end, it takes its connection with it: what is left of it on that wire
    /// is nobody's.
    Node(NodeBody),
    /// The balancer's own words.
    Text(Bytes),
}

/// A body that a node sends.
#[derive(Debug)]
struct NodeBody {
    body: Incoming,
    /// Drives the body; nothing once that has ended.
    connection: Option<Connection>,
    /// Whether the connection is to be used again, and by which worker.
    reusable: bool,
    worker: usize,
    /// Counts the request at its node until the body is dropped.
    active: ActiveRequest,
}

impl ResponseBody {
    pub(crate) fn from_node(
        body: Incoming,
        connection: Connection,
        reusable: bool,
        active: ActiveRequest,
        worker: usize,
    ) -> Self {
        let mut node = NodeBody { body, connection: Some(connection), reusable, worker, active };
        node.finish_at_end();
        Self { source: BodySource::Node(node), exchange: None }
    }

    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        Self { source: BodySource::Text(text.into()), exchange: None }
    }

    /// Has its bytes and its end counted in the account of its request.
    pub(crate) fn accounted(mut self, mut exchange: Exchange) -> Self {
        if self.is_end_stream() {
            exchange.complete();
        }
        self.exchange = Some(exchange);
        self
    }
}

impl NodeBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let mut frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_pending()
            && let Some(connection) = &mut self.connection
        {
            // The node's side goes on only while somebody drives it.
            connection.drive(cx);
            frame = Pin::new(&mut self.body).poll_frame(cx);
        }
        match &frame {
            Poll::Ready(None) => self.finish(),
            Poll::Ready(Some(Ok(_))) => self.finish_at_end(),
            _ => {}
        }
        frame
    }

    fn finish_at_end(&mut self) {
        if self.body.is_end_stream() {
            self.finish();
        }
    }

    /// Gives the connection back.
    fn finish(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.reusable
        {
            self.active.node().idle.put(self.worker, connection);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let frame = match &mut this.source {
            BodySource::Text(text) if text.is_empty() => None,
            BodySource::Text(text) => Some(Ok(Frame::data(std::mem::take(text)))),
            BodySource::Node(node) => ready!(node.poll_frame(cx)),
        };
        if let Some(exchange) = &mut this.exchange {
            match &frame {
                Some(Ok(frame)) => exchange.sent(frame.data_ref().map_or(0, |data| data.len() as u64)),
                None => exchange.complete(),
                Some(Err(_)) => {}
            }
            if this.source.is_end_stream() {
                exchange.complete();
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            BodySource::Text(text) => SizeHint::with_exact(text.len() as u64),
            BodySource::Node(node) => node.body.size_hint(),
        }
    }
}

impl BodySource {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Node(node) => node.body.is_end_stream(),
        }
    }
}
