//! The body of a request, which the web server sends in pieces, each when it is asked for.
//!
//! The body and the connection are two ends of two channels, so that a service may read the body in another
//! task. One piece is on its way at most.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// The body of a request. It asks the web server for a piece when it is polled.
#[derive(Debug)]
pub struct AjpRequestBody {
    /// Declared bytes that have not come yet; `None`: the length is not known.
    remaining: Option<u64>,
    is_over: bool,
    /// A piece is on its way.
    is_waiting: bool,
    asking: mpsc::Sender<()>,
    pieces: mpsc::Receiver<Bytes>,
}

/// Why a body ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The connection to the web server ended.
    #[error("the connection to the web server ended within the body")]
    Disconnected,
    /// The client sent less than it declared.
    #[error("the body ended {0} bytes before its Content-Length")]
    TooShort(u64),
    /// The web server sent more than the client declared.
    #[error("the body is longer than its Content-Length")]
    TooLong,
}

/// The connection's ends of the channels of a body.
#[derive(Debug)]
pub(crate) struct BodyPlug {
    pub(crate) asked: mpsc::Receiver<()>,
    pub(crate) pieces: mpsc::Sender<Bytes>,
}

/// How much of a body the head of its request declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declared {
    /// There is none.
    Nothing,
    /// A declared length of at least one byte. The web server sends the first piece without being asked.
    Length(u64),
    /// Any number of bytes.
    Unknown,
}

impl AjpRequestBody {
    pub(crate) fn new(declared: Declared) -> (Self, BodyPlug) {
        let (asking, asked) = mpsc::channel(1);
        let (pieces, received) = mpsc::channel(1);
        let remaining = match declared {
            Declared::Nothing => Some(0),
            Declared::Length(length) => Some(length),
            Declared::Unknown => None,
        };
        let body = Self {
            remaining,
            is_over: declared == Declared::Nothing,
            is_waiting: matches!(declared, Declared::Length(_)),
            asking,
            pieces: received,
        };
        (body, BodyPlug { asked, pieces })
    }

    /// Counts a piece that came; an empty one is the end.
    fn take(&mut self, piece: Bytes) -> Option<Result<Bytes, BodyError>> {
        let length = piece.len() as u64;
        match &mut self.remaining {
            _ if length == 0 => {
                self.is_over = true;
                self.remaining.filter(|missing| *missing > 0).map(|missing| Err(BodyError::TooShort(missing)))
            }
            Some(remaining) if *remaining < length => {
                self.is_over = true;
                Some(Err(BodyError::TooLong))
            }
            Some(remaining) => {
                *remaining -= length;
                self.is_over = *remaining == 0;
                Some(Ok(piece))
            }
            None => Some(Ok(piece)),
        }
    }
}

impl Body for AjpRequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let body = self.get_mut();
        if body.is_over {
            return Poll::Ready(None);
        }
        if !body.is_waiting {
            // The connection takes it before it asks the web server, so that there is always room for one.
            if body.asking.try_send(()).is_err() {
                body.is_over = true;
                return Poll::Ready(Some(Err(BodyError::Disconnected)));
            }
            body.is_waiting = true;
        }
        let piece = ready!(body.pieces.poll_recv(context));
        body.is_waiting = false;
        let Some(piece) = piece else {
            body.is_over = true;
            return Poll::Ready(Some(Err(BodyError::Disconnected)));
        };
        Poll::Ready(body.take(piece).map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn the_declared_length_is_enforced_both_ways() {
        let (body, plug) = AjpRequestBody::new(Declared::Length(3));
        plug.pieces.try_send(Bytes::from_static(b"abcd")).unwrap();
        assert_eq!(body.collect().await.unwrap_err(), BodyError::TooLong);

        let (body, plug) = AjpRequestBody::new(Declared::Length(3));
        plug.pieces.try_send(Bytes::new()).unwrap();
        assert_eq!(body.collect().await.unwrap_err(), BodyError::TooShort(3));
    }

    #[tokio::test]
    async fn only_an_unknown_length_ends_with_an_empty_piece() {
        let (body, mut plug) = AjpRequestBody::new(Declared::Unknown);
        let read = tokio::spawn(body.collect());
        for piece in ["one", "two", ""] {
            plug.asked.recv().await.unwrap();
            plug.pieces.try_send(piece.into()).unwrap();
        }
        assert_eq!(read.await.unwrap().unwrap().to_bytes(), "onetwo");

        let (body, mut plug) = AjpRequestBody::new(Declared::Length(3));
        plug.pieces.try_send("abc".into()).unwrap();
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
        assert!(plug.asked.recv().await.is_none(), "the first piece comes without being asked for");

        let (body, _plug) = AjpRequestBody::new(Declared::Nothing);
        assert!(body.is_end_stream() && body.collect().await.unwrap().to_bytes().is_empty());
    }

    #[tokio::test]
    async fn a_lost_connection_is_no_end() {
        let (body, plug) = AjpRequestBody::new(Declared::Unknown);
        drop(plug);
        assert_eq!(body.collect().await.unwrap_err(), BodyError::Disconnected);
    }
}
