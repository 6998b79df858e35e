//! An answer's body on its way to the client: its connection counts as busy until its end, and HTTP/2 clients
//! that take nothing are found.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::connection_state::RequestInFlight;

/// The body of an answer; `None` is an empty one.
#[derive(Debug)]
pub struct ResponseBody<B> {
    body: Option<B>,
    request: RequestInFlight,
    /// Its number among the answers that wait for the client; HTTP/2 alone.
    number: Option<u64>,
}

impl<B> ResponseBody<B> {
    pub(crate) fn new(body: Option<B>, request: RequestInFlight, is_http2: bool) -> Self {
        let number = is_http2.then(|| request.state().number_answer());
        Self { body, request, number }
    }

    fn stop_waiting(&self) {
        if let Some(number) = self.number {
            self.request.state().waiting_answers.lock().remove(&number);
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        this.stop_waiting();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if let Some(number) = this.number
            && frame.is_some()
        {
            // The engine asks again when the client has taken this.
            this.request.state().waiting_answers.lock().insert(number, Instant::now());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B> Drop for ResponseBody<B> {
    fn drop(&mut self) {
        self.stop_waiting();
    }
}
