//! A request's body, with the time that its client may take.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::Limits;
use crate::connection_state::{ConnectionState, RequestInFlight};
use crate::stall_timer::StallTimer;

/// Time before the minimum rate applies: a connection must first find its speed.
const RATE_GRACE: Duration = Duration::from_secs(10);
/// While the server stops, a body must come at this rate, in bytes a second: it is not waited for otherwise.
const STOP_RATE: u64 = 16 * 1024;
/// While the server stops, time before [`STOP_RATE`] applies.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// A body that is waited for looks this often whether the server stops.
const STOP_CHECK: Duration = Duration::from_secs(1);

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum RequestBodyError {
    /// Its bytes came too slowly.
    #[error("the request's body came too slowly: {0}")]
    Slow(&'static str),
    /// Its framing is wrong, or the client went away.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

/// The body of a client's request. Only time in which its reader waits for the client counts.
#[derive(Debug)]
pub struct RequestBody {
    body: Incoming,
    state: Arc<ConnectionState>,
    idle: Duration,
    /// Bytes a second; 0 is no bound.
    rate: u64,
    received: u64,
    /// How long the client was waited for until its last byte.
    waited: Duration,
    waiting_since: Option<Instant>,
    /// Bytes and waiting time when the server began to stop.
    stop_began: Option<(u64, Duration)>,
    timer: StallTimer,
}

impl RequestBody {
    pub(crate) fn new(body: Incoming, request: &RequestInFlight, limits: &Limits) -> Self {
        Self {
            body,
            state: Arc::clone(request.state()),
            idle: limits.body_idle,
            rate: limits.body_rate as u64,
            received: 0,
            waited: Duration::ZERO,
            waiting_since: None,
            stop_began: None,
            timer: StallTimer::default(),
        }
    }

    /// How much longer the client is waited for now, and what it fails to do; from how long it was waited for
    /// since its last byte.
    fn left(&mut self, now: Duration) -> (Duration, &'static str) {
        let total = self.waited + now;
        let mut left = (self.idle.saturating_sub(now), "no byte came for longer than `body_idle`");
        let mut bound = |allowed: Duration, used: Duration, text| {
            left = left.min((allowed.saturating_sub(used), text));
        };
        if let Some(millis) = (self.received * 1_000).checked_div(self.rate) {
            let allowed = RATE_GRACE + Duration::from_millis(millis);
            bound(allowed, total, "fewer bytes a second than `body_rate`");
        }
        if self.state.is_stopping() {
            let (received, waited) = *self.stop_began.get_or_insert((self.received, total));
            let allowed = STOP_GRACE + Duration::from_millis((self.received - received) * 1_000 / STOP_RATE);
            bound(allowed, total.saturating_sub(waited), "the server stops");
        }
        left
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        loop {
            let (left, text) = self.left(since.elapsed());
            if left.is_zero() {
                return Poll::Ready(text);
            }
            let deadline = Instant::now() + left.min(STOP_CHECK);
            if self.timer.poll_until(cx, deadline).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            return this.poll_wait(cx).map(|text| Some(Err(RequestBodyError::Slow(text))));
        };
        if let Some(since) = this.waiting_since.take() {
            this.waited += since.elapsed();
        }
        if let Some(Ok(frame)) = &frame {
            this.received += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(RequestBodyError::Broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
