//! The fields of a payload: bytes, numbers and texts, each checked against what is there; and how a text is
//! written.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::error::RequestError;

/// The length that stands for a text which is absent.
const NO_TEXT: u16 = 0xFFFF;

/// Writes a length, the bytes and a zero byte. The caller has made sure that the length fits.
pub(crate) fn put_text(out: &mut BytesMut, text: &[u8]) {
    out.put_u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
    out.put_slice(text);
    out.put_u8(0);
}

/// The unread rest of a payload.
#[derive(Debug)]
pub(crate) struct Payload(Bytes);

impl Payload {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(crate) fn byte(&mut self, what: &'static str) -> Result<u8, RequestError> {
        self.0.try_get_u8().map_err(|_| RequestError::Truncated(what))
    }

    pub(crate) fn number(&mut self, what: &'static str) -> Result<u16, RequestError> {
        self.0.try_get_u16().map_err(|_| RequestError::Truncated(what))
    }

    /// The next number, which stays where it is.
    pub(crate) fn peek_number(&self, what: &'static str) -> Result<u16, RequestError> {
        let bytes = self.0.first_chunk().ok_or(RequestError::Truncated(what))?;
        Ok(u16::from_be_bytes(*bytes))
    }

    /// A length, so many bytes, and a zero byte; `None` for a text that is absent.
    pub(crate) fn text(&mut self, what: &'static str) -> Result<Option<Bytes>, RequestError> {
        let length = self.number(what)?;
        if length == NO_TEXT {
            return Ok(None);
        }
        let length = usize::from(length);
        if self.0.len() <= length {
            return Err(RequestError::Truncated(what));
        }
        let text = self.0.split_to(length);
        match self.0.get_u8() {
            0 => Ok(Some(text)),
            _ => Err(RequestError::Malformed(what)),
        }
    }

    /// A text in UTF-8 that must be there.
    pub(crate) fn string(&mut self, what: &'static str) -> Result<String, RequestError> {
        self.optional_string(what)?.ok_or(RequestError::Malformed(what))
    }

    /// A text in UTF-8.
    pub(crate) fn optional_string(&mut self, what: &'static str) -> Result<Option<String>, RequestError> {
        let Some(text) = self.text(what)? else { return Ok(None) };
        String::from_utf8(text.into()).map(Some).map_err(|_| RequestError::Malformed(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &'static [u8]) -> Result<Option<Bytes>, RequestError> {
        Payload::new(Bytes::from_static(bytes)).text("a name")
    }

    #[test]
    fn texts_are_as_long_as_they_say_and_end_with_a_zero() {
        assert_eq!(text(&[0, 2, b'o', b'k', 0]), Ok(Some(Bytes::from_static(b"ok"))));
        assert_eq!(text(&[0, 0, 0]), Ok(Some(Bytes::new())));
        assert_eq!(text(&[0xFF, 0xFF]), Ok(None));
        assert_eq!(text(&[0, 2, b'o', b'k']), Err(RequestError::Truncated("a name")));
        assert_eq!(text(&[0, 2, b'o', b'k', 1]), Err(RequestError::Malformed("a name")));
        assert_eq!(text(&[0xFF, 0xFE, 1]), Err(RequestError::Truncated("a name")));
        assert_eq!(text(&[0]), Err(RequestError::Truncated("a name")));
    }
}
