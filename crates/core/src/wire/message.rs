//! A message of the application's own: carried between members, and never seen by the state machine.

use bytes::Bytes;
use minicbor::{Decode, Encode};

use super::{KIND_BYTES, Malformed, encode};
use crate::wire::Plain;

/// Its number on the wire.
pub(super) const MESSAGE: u16 = 50;

/// A message of one process to others, beside the sessions. The driver writes and reads it; a
/// [`Node`](crate::Node) that is handed one skips it, as every version before this one does.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Message<'b> {
    /// Counts the messages of this process: a receiver takes rising numbers only.
    #[n(0)]
    pub number: u64,
    /// The topic, at most [`TOPIC_MAX_BYTES`](Self::TOPIC_MAX_BYTES).
    #[b(1)]
    pub topic: &'b str,
    /// The content, at most [`CONTENT_MAX_BYTES`](Self::CONTENT_MAX_BYTES).
    #[b(2)]
    #[cbor(with = "minicbor::bytes")]
    pub content: &'b [u8],
}

impl Plain for Message<'_> {
    const KIND: u16 = MESSAGE;
}

impl<'b> Message<'b> {
    /// Longest topic.
    pub const TOPIC_MAX_BYTES: usize = 256;
    /// Longest content: 1 MiB.
    pub const CONTENT_MAX_BYTES: usize = 1 << 20;

    /// The frame.
    pub fn to_frame(&self) -> Bytes {
        encode(self)
    }

    /// The message in `frame`; `None` if it is a frame of another kind. Rule 1.11.
    ///
    /// # Errors
    /// It cannot be read, or exceeds a bound.
    pub fn of(frame: &'b [u8]) -> Result<Option<Self>, Malformed> {
        let Some(body) = frame.strip_prefix(&MESSAGE.to_le_bytes()[..KIND_BYTES]) else { return Ok(None) };
        let message: Self =
            minicbor::decode(body).map_err(|cause| Malformed::Body { kind: MESSAGE, cause })?;
        if message.topic.len() > Self::TOPIC_MAX_BYTES {
            return Err(Malformed::OutOfRange { kind: MESSAGE, what: "the length of the topic" });
        }
        if message.content.len() > Self::CONTENT_MAX_BYTES {
            return Err(Malformed::OutOfRange { kind: MESSAGE, what: "the length of the content" });
        }
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_out_as_it_went_in() {
        for (topic, content) in [("cache", &b"drop 7"[..]), ("größe/λ/🦀", b""), ("", &[0xFF; 300])] {
            let message = Message { number: 7, topic, content };
            let frame = message.to_frame();
            assert_eq!(Message::of(&frame).unwrap(), Some(message));
            assert!((2..frame.len()).all(|cut| Message::of(&frame[..cut]).is_err()), "cut in its middle");
        }
        assert_eq!(Message::of(&[1, 0, 0x80]).unwrap(), None, "another kind");
        assert_eq!(Message::of(&[50]).unwrap(), None, "not even a kind");
    }

    #[test]
    fn its_bounds_are_checked() {
        let topic = "x".repeat(Message::TOPIC_MAX_BYTES + 1);
        let content = vec![0; Message::CONTENT_MAX_BYTES + 1];
        let too_long = [
            Message { number: 1, topic: &topic, content: &[] },
            Message { number: 1, topic: "", content: &content },
        ];
        for message in too_long {
            assert!(matches!(Message::of(&message.to_frame()), Err(Malformed::OutOfRange { .. })));
        }
    }
}
