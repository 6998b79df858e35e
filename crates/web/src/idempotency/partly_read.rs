//! A body whose beginning was read: all of it where it is small and ends soon, else a body that begins again.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::timeout;

/// A body after a look at it.
#[derive(Debug)]
pub(super) enum BodyRead {
    /// It has ended.
    Whole(Bytes),
    /// It is longer than it may be, takes longer, or has more than bytes; nothing of it is lost.
    PartlyRead {
        body: Body,
        /// It has too many bytes, or more than bytes; else it was too slow.
        is_larger: bool,
    },
}

/// Frames that came already, and the rest.
struct PartlyRead {
    first: VecDeque<Frame<Bytes>>,
    rest: Body,
}

impl BodyRead {
    /// Reads `body` to its end, where that comes within `room` bytes and within `time`.
    ///
    /// # Errors
    /// The body broke off.
    pub(super) async fn within(room: usize, time: Duration, body: Body) -> Result<Self, Error> {
        let mut partly_read = PartlyRead { first: VecDeque::new(), rest: body };
        if HttpBody::size_hint(&partly_read.rest).lower() > room as u64 {
            return Ok(Self::PartlyRead { body: partly_read.rest, is_larger: true });
        }
        match timeout(time, partly_read.ends_within(room)).await {
            Ok(Ok(true)) => Ok(Self::Whole(partly_read.bytes())),
            Ok(Ok(false)) => Ok(Self::PartlyRead { body: Body::new(partly_read), is_larger: true }),
            Err(_) => Ok(Self::PartlyRead { body: Body::new(partly_read), is_larger: false }),
            Ok(Err(cause)) => Err(cause),
        }
    }
}

impl PartlyRead {
    /// Reads on until it is known whether the body is at most `room` bytes and nothing else.
    async fn ends_within(&mut self, mut room: usize) -> Result<bool, Error> {
        while let Some(frame) = poll_fn(|context| Pin::new(&mut self.rest).poll_frame(context)).await {
            let frame = frame?;
            let left = frame.data_ref().and_then(|data| room.checked_sub(data.len()));
            self.first.push_back(frame);
            match left {
                Some(left) => room = left,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn bytes(self) -> Bytes {
        let parts: Vec<_> = self.first.into_iter().filter_map(|frame| frame.into_data().ok()).collect();
        parts.concat().into()
    }
}

impl HttpBody for PartlyRead {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.first.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read: usize = self.first.iter().filter_map(Frame::data_ref).map(Bytes::len).sum();
        let (read, rest) = (read as u64, HttpBody::size_hint(&self.rest));
        let mut hint = SizeHint::new();
        hint.set_lower(read.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper() {
            hint.set_upper(read.saturating_add(upper));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use futures_util::StreamExt as _;
    use futures_util::stream::{iter, pending};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn parts(
        parts: &'static [&'static str],
    ) -> impl futures_util::Stream<Item = Result<&'static str, Error>> {
        iter(parts).map(|part| Ok(*part))
    }

    async fn read(room: usize, body: Body) -> (bool, Bytes) {
        match BodyRead::within(room, LONG, body).await.unwrap() {
            BodyRead::Whole(bytes) => (true, bytes),
            BodyRead::PartlyRead { body, .. } => (false, to_bytes(body, usize::MAX).await.unwrap()),
        }
    }

    #[tokio::test]
    async fn what_has_no_length_is_read_to_its_end_and_too_much_begins_again() {
        let body = || Body::from_stream(parts(&["one ", "two ", "three"]));
        assert_eq!(read(13, body()).await, (true, "one two three".into()));
        assert_eq!(read(12, body()).await, (false, "one two three".into()));
        assert_eq!(read(3, body()).await, (false, "one two three".into()));
        assert_eq!(read(2, Body::from("long")).await, (false, "long".into()));
    }

    #[tokio::test]
    async fn what_does_not_end_in_time_goes_on_with_what_came() {
        let body = Body::from_stream(parts(&["first"]).chain(pending()));
        let BodyRead::PartlyRead { body, is_larger: false } =
            BodyRead::within(100, Duration::ZERO, body).await.unwrap()
        else {
            panic!("it has not ended")
        };
        let first = body.into_data_stream().next().await.unwrap().unwrap();
        assert_eq!(first, "first");
    }
}
