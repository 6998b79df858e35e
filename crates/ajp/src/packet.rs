//! Packets: two magic bytes, a length, a payload. The web server's begin with `12 34`, ours with `AB` in
//! ASCII.

use std::io;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

use crate::error::ConnectionError;

/// Magic number of packets from the web server.
const FROM_WEB_SERVER: u16 = 0x1234;
/// Magic number of packets to the web server.
const TO_WEB_SERVER: [u8; 2] = *b"AB";
/// Bytes of magic number and length.
pub(crate) const PACKET_HEAD: usize = 4;
/// Longest time from the first byte of a packet to its last.
const PACKET_TIMEOUT: Duration = Duration::from_secs(30);

/// Splits what a connection brings into payloads. A read that is cancelled loses nothing.
#[derive(Debug)]
pub(crate) struct PacketReader<R> {
    io: R,
    buffer: BytesMut,
    /// Most bytes of a packet, its head included.
    packet_size: usize,
    /// When the first byte of the packet that is not yet complete was there.
    begun: Option<Instant>,
}

impl<R: AsyncRead + Unpin> PacketReader<R> {
    pub(crate) fn new(io: R, packet_size: usize) -> Self {
        Self { io, buffer: BytesMut::new(), packet_size, begun: None }
    }

    /// The payload of the next packet; `None` when the peer closed the connection between two packets.
    pub(crate) async fn next(&mut self, deadline: Instant) -> Result<Option<Bytes>, ConnectionError> {
        loop {
            if let Some(payload) = split(&mut self.buffer, self.packet_size)? {
                self.begun = None;
                return Ok(Some(payload));
            }
            if !self.buffer.is_empty() && self.begun.is_none() {
                self.begun = Some(Instant::now());
            }
            let deadline = self.begun.map_or(deadline, |begun| deadline.min(begun + PACKET_TIMEOUT));
            // A full packet at most: the peer may not fill memory with what follows it.
            let room = self.packet_size.saturating_sub(self.buffer.len()).max(1);
            let mut bounded = (&mut self.buffer).limit(room);
            let read = timeout_at(deadline, self.io.read_buf(&mut bounded)).await;
            match read.map_err(|_| ConnectionError::Silent)?? {
                0 if self.buffer.is_empty() => return Ok(None),
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                _ => {}
            }
        }
    }
}

/// Takes a packet from the front of `buffer`, if all of it is there.
fn split(buffer: &mut BytesMut, packet_size: usize) -> Result<Option<Bytes>, ConnectionError> {
    let Some((head, rest)) = buffer.split_first_chunk::<PACKET_HEAD>() else { return Ok(None) };
    if u16::from_be_bytes([head[0], head[1]]) != FROM_WEB_SERVER {
        return Err(ConnectionError::NotAjp);
    }
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    if PACKET_HEAD + length > packet_size {
        return Err(ConnectionError::TooLarge { bytes: PACKET_HEAD + length, packet_size });
    }
    if rest.len() < length {
        return Ok(None);
    }
    buffer.advance(PACKET_HEAD);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// Writes a packet whose payload `write` appends.
pub(crate) fn put_packet(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    out.put_slice(&TO_WEB_SERVER);
    let at = out.len();
    out.put_u16(0);
    write(out);
    let length = u16::try_from(out.len() - at - 2).expect("callers keep to the packet size");
    out[at..at + 2].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_all(bytes: &[u8]) -> Result<Option<Bytes>, ConnectionError> {
        split(&mut BytesMut::from(bytes), 8192)
    }

    #[test]
    fn a_packet_is_taken_once_it_is_complete() {
        assert!(split_all(&[]).unwrap().is_none());
        assert!(split_all(&[0x12, 0x34, 0]).unwrap().is_none());
        assert!(split_all(&[0x12, 0x34, 0, 2, 7]).unwrap().is_none());
        assert_eq!(split_all(&[0x12, 0x34, 0, 1, 7, 9]).unwrap().unwrap(), [7][..]);
        assert_eq!(split_all(&[0x12, 0x34, 0, 0]).unwrap().unwrap(), [][..]);
    }

    #[test]
    fn what_is_no_packet_or_too_large_is_refused_before_it_is_buffered() {
        assert!(matches!(split_all(b"GET / HTTP/1.1"), Err(ConnectionError::NotAjp)));
        assert!(split_all(&[0x12, 0x34, 0x1F, 0xFC]).unwrap().is_none(), "8188 and its head are 8192");
        assert!(matches!(
            split_all(&[0x12, 0x34, 0x1F, 0xFD]),
            Err(ConnectionError::TooLarge { bytes: 8193, packet_size: 8192 })
        ));
    }
}
