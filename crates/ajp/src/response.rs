//! Packets to the web server: the head of a response, pieces of its body, its end.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::header_names::put_name;
use crate::packet::{PACKET_HEAD, put_packet};
use crate::payload::put_text;

const SEND_BODY_CHUNK: u8 = 3;
const SEND_HEADERS: u8 = 4;
const END_RESPONSE: u8 = 5;
const GET_BODY_CHUNK: u8 = 6;
const CPONG: u8 = 9;

/// Bytes of a packet beside the piece of a body in it: its head, its kind, a length, a zero byte.
const PIECE_OVERHEAD: usize = PACKET_HEAD + 1 + 2 + 1;
/// Bytes of a packet of the web server beside the piece of a body in it: its head and a length.
const REQUESTED_OVERHEAD: usize = PACKET_HEAD + 2;

/// Headers of a connection that the web server does not have with us.
const OF_A_CONNECTION: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The head of a response does not fit into a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeadTooLarge {
    pub(crate) bytes: usize,
}

/// Whether a response of that status to that method has a body.
pub(crate) fn has_body(method: &Method, status: StatusCode) -> bool {
    let never = [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];
    *method != Method::HEAD && !status.is_informational() && !never.contains(&status)
}

/// Whether the application wants the connection closed after this response, as a node that drains does.
pub(crate) fn wants_close(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("close"))
}

/// Takes out what must not travel.
pub(crate) fn strip(status: StatusCode, headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|word| word.trim().parse().ok())
        .collect();
    for name in named.into_iter().chain(OF_A_CONNECTION) {
        headers.remove(name);
    }
    if [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT].contains(&status) {
        headers.remove(CONTENT_LENGTH);
    }
}

/// Writes the head of a response.
pub(crate) fn put_head(
    out: &mut BytesMut,
    status: StatusCode,
    headers: &HeaderMap,
    packet_size: usize,
) -> Result<(), HeadTooLarge> {
    let mut payload = BytesMut::new();
    payload.put_u8(SEND_HEADERS);
    payload.put_u16(status.as_u16());
    // Some versions of mod_jk need a phrase.
    put_text(&mut payload, status.canonical_reason().unwrap_or(status.as_str()).as_bytes());
    payload.put_u16(u16::try_from(headers.len()).unwrap_or(u16::MAX));
    for (name, value) in headers {
        put_name(&mut payload, name);
        if value.len() > packet_size {
            return Err(HeadTooLarge { bytes: value.len() });
        }
        put_text(&mut payload, value.as_bytes());
    }
    let bytes = PACKET_HEAD + payload.len();
    if bytes > packet_size {
        return Err(HeadTooLarge { bytes });
    }
    put_packet(out, |out| out.put_slice(&payload));
    Ok(())
}

/// Writes bytes of a body, in as many packets as they need.
pub(crate) fn put_body(out: &mut BytesMut, mut bytes: Bytes, packet_size: usize) {
    while !bytes.is_empty() {
        let piece = bytes.split_to(bytes.len().min(packet_size - PIECE_OVERHEAD));
        put_piece(out, &piece);
    }
}

/// Asks the web server to send on to the client what it has.
pub(crate) fn put_flush(out: &mut BytesMut) {
    put_piece(out, &[]);
}

/// The end of a response; after it the connection is used again, or not.
pub(crate) fn put_end(out: &mut BytesMut, is_reused: bool) {
    put_packet(out, |out| out.put_slice(&[END_RESPONSE, is_reused.into()]));
}

/// Asks for as much of the request's body as fits into a packet.
pub(crate) fn put_request_for_body(out: &mut BytesMut, packet_size: usize) {
    let length = u16::try_from(packet_size - REQUESTED_OVERHEAD).unwrap_or(u16::MAX);
    put_packet(out, |out| {
        out.put_u8(GET_BODY_CHUNK);
        out.put_u16(length);
    });
}

/// The answer to a CPing.
pub(crate) fn put_pong(out: &mut BytesMut) {
    put_packet(out, |out| out.put_u8(CPONG));
}

fn put_piece(out: &mut BytesMut, piece: &[u8]) {
    put_packet(out, |out| {
        out.put_u8(SEND_BODY_CHUNK);
        put_text(out, piece);
    });
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_TYPE, SET_COOKIE};

    use super::*;

    #[test]
    fn a_head_is_one_packet_with_numbered_and_written_names() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "a/b".parse().unwrap());
        headers.insert("x-n", "1".parse().unwrap());
        let mut out = BytesMut::new();
        put_head(&mut out, StatusCode::OK, &headers, 8192).unwrap();
        assert_eq!(
            out,
            &b"AB\x00\x1C\x04\x00\xC8\x00\x02OK\x00\x00\x02\xA0\x01\x00\x03a/b\x00\x00\x03x-n\x00\x00\x011\x00"[..]
        );
        headers.append(SET_COOKIE, "x".repeat(8192).parse().unwrap());
        assert!(put_head(&mut out, StatusCode::OK, &headers, 8192).is_err());
        assert!(put_head(&mut out, StatusCode::OK, &headers, 65536).is_ok());
    }

    #[test]
    fn a_body_is_cut_into_packets_that_are_full() {
        for packet_size in [8192, 65536] {
            let mut out = BytesMut::new();
            put_body(&mut out, vec![7; packet_size].into(), packet_size);
            let (first, second) = out.split_at(packet_size);
            assert_eq!(usize::from(u16::from_be_bytes([first[2], first[3]])), packet_size - 4);
            assert_eq!(second.len(), 8 + 8, "eight bytes are left, with their own overhead");
        }
    }

    #[test]
    fn an_empty_piece_is_a_flush_and_an_empty_body_is_nothing() {
        let mut out = BytesMut::new();
        put_body(&mut out, Bytes::new(), 8192);
        assert!(out.is_empty());
        put_flush(&mut out);
        assert_eq!(out, &b"AB\x00\x04\x03\x00\x00\x00"[..]);
    }

    #[test]
    fn what_concerns_a_connection_does_not_travel() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, "close, x-hop".parse().unwrap());
        headers.insert("x-hop", "1".parse().unwrap());
        headers.insert(CONTENT_LENGTH, "0".parse().unwrap());
        assert!(wants_close(&headers));
        strip(StatusCode::NOT_MODIFIED, &mut headers);
        assert_eq!(headers.len(), 1);
        strip(StatusCode::NO_CONTENT, &mut headers);
        assert!(headers.is_empty());
    }
}
