//! Frames on a byte stream: a length of four bytes (big endian), then that many opaque bytes.
//!
//! Must not know what is in a frame. Every frame gets a buffer of its own, so that keeping one small value
//! never keeps a whole read buffer alive. Written by [`link`](crate::link), read by
//! [`inbound`](crate::inbound).

use bytes::{Bytes, BytesMut};

/// The longest frame that is sent or accepted, in bytes; checked before anything is allocated for it.
pub const FRAME_LIMIT: usize = 16 << 20;

/// Bytes of the length in front of every frame.
pub(crate) const HEADER: usize = 4;

/// A length above [`FRAME_LIMIT`] was announced; the stream is lost.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong(pub(crate) usize);

/// Cuts a stream of chunks, however it was chopped, back into frames.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    header: [u8; HEADER],
    header_filled: usize,
    partial: Option<Partial>,
}

/// A frame whose end has not come yet.
#[derive(Debug)]
struct Partial {
    body: BytesMut,
    length: usize,
}

impl Splitter {
    /// Takes the next bytes of the stream and appends the frames that they complete to `out`. Rule 1.2.
    pub(crate) fn feed(&mut self, mut chunk: &[u8], out: &mut Vec<Bytes>) -> Result<(), TooLong> {
        while !chunk.is_empty() {
            chunk = match self.partial.take() {
                Some(partial) => self.fill(partial, chunk, out),
                None => self.begin(chunk, out)?,
            };
        }
        Ok(())
    }

    fn fill<'a>(&mut self, mut partial: Partial, chunk: &'a [u8], out: &mut Vec<Bytes>) -> &'a [u8] {
        let missing = partial.length - partial.body.len();
        let (piece, rest) = chunk.split_at(missing.min(chunk.len()));
        partial.body.extend_from_slice(piece);
        if partial.body.len() == partial.length {
            out.push(partial.body.freeze());
        } else {
            self.partial = Some(partial);
        }
        rest
    }

    fn begin<'a>(&mut self, chunk: &'a [u8], out: &mut Vec<Bytes>) -> Result<&'a [u8], TooLong> {
        let (piece, rest) = chunk.split_at((HEADER - self.header_filled).min(chunk.len()));
        self.header[self.header_filled..][..piece.len()].copy_from_slice(piece);
        self.header_filled += piece.len();
        if self.header_filled < HEADER {
            return Ok(rest);
        }
        self.header_filled = 0;
        let length = u32::from_be_bytes(self.header) as usize;
        if length > FRAME_LIMIT {
            return Err(TooLong(length));
        }
        if let Some((whole, rest)) = rest.split_at_checked(length) {
            out.push(Bytes::copy_from_slice(whole));
            return Ok(rest);
        }
        self.partial = Some(Partial { body: BytesMut::with_capacity(length), length });
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream_of(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut stream = Vec::new();
        for frame in frames {
            stream.extend((frame.len() as u32).to_be_bytes());
            stream.extend(frame);
        }
        stream
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_frames(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            cuts in prop::collection::vec(1_usize..200, 1..50),
        ) {
            let stream = stream_of(&frames);
            let mut splitter = Splitter::default();
            let mut out = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, after) = rest.split_at((*cut).min(rest.len()));
                splitter.feed(chunk, &mut out).unwrap();
                rest = after;
            }
            prop_assert_eq!(out, frames);
        }

        #[test]
        fn any_bytes_are_survived(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16)) {
            let mut splitter = Splitter::default();
            for chunk in chunks {
                if splitter.feed(&chunk, &mut Vec::new()).is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_giant_length_is_refused_before_allocating() {
        let announced = FRAME_LIMIT + 1;
        let result = Splitter::default().feed(&(announced as u32).to_be_bytes(), &mut Vec::new());
        assert_eq!(result, Err(TooLong(announced)));
    }
}
