//! The planted next version: the protocol of a hypothetical later release, which current nodes must tolerate.
//!
//! It is the current core behind a translator, so it changes only the wire format. It uses every extension
//! that PROTOCOL.md (section 12) allows: one more element in every body, a kind without a position, a kind
//! with a position, a phase, and a field of the session with a codec of its own.

use bytes::{BufMut, Bytes, BytesMut};
use minicbor::Decoder;
use sessile_core::{Changes, Codec, FieldName, Fields, Value};

/// The session's new system field, with a codec unknown to the current version.
const FIELD: &str = "\0later";
const CODEC: Codec = Codec(200);

/// Current kinds of frames that are inspected.
const HEARTBEAT: u16 = 1;
const JOIN: u16 = 3;
const INCLUDED: u16 = 4;
const ANSWER: u16 = 24;
const DELTA: u16 = 40;

/// CBOR: the head of an empty array, and null.
const ARRAY: u8 = 0x80;
const NULL: u8 = 0xf6;

/// Elements of an answer; the last ones are optional.
const ANSWER_ELEMENTS: u8 = 5;

/// A change as the next version sends it.
const LATER_DELTA: u16 = 45;

/// A frame without a session.
const LATER_CONTROL: u16 = 60;

/// The state of a member that is complete and does not serve yet.
const WATCHING: u8 = 5;
const READY: u8 = 2;

/// Where a sequenced frame's body begins, after its kind and position; others begin after the kind.
const PLACED_BODY: usize = 11;
const PLAIN_BODY: usize = 2;

/// One more element: a map, `{0: "later"}`.
const APPENDED: &[u8] = b"\xa1\x00\x65later";

/// A frame of the core as the next version sends it.
pub fn outgoing(frame: &Bytes, watching: bool) -> Bytes {
    let Some(kind) = frame.first_chunk().map(|kind| u16::from_le_bytes(*kind)) else { return frame.clone() };
    let body = if (40..=43).contains(&kind) { PLACED_BODY } else { PLAIN_BODY };
    let mut later = BytesMut::from(&frame[..]);
    if kind == DELTA && is_even(frame) {
        later[..2].copy_from_slice(&LATER_DELTA.to_le_bytes());
    }
    if watching && matches!(kind, HEARTBEAT | JOIN | INCLUDED) {
        watch(&mut later[body..]);
    }
    // Missing optional elements must be filled before the appended element.
    while kind == ANSWER && later[body] < ARRAY + ANSWER_ELEMENTS {
        append(&mut later, body, &[NULL]);
    }
    append(&mut later, body, APPENDED);
    later.freeze()
}

/// Appends one element; the first byte of a short array holds its length.
fn append(frame: &mut BytesMut, body: usize, element: &[u8]) {
    frame[body] += 1;
    frame.put_slice(element);
}

/// A received frame as the next version passes it to its core; `None` for a frame of the next version only.
pub fn incoming(frame: &Bytes) -> Option<Bytes> {
    match frame.first_chunk().map(|kind| u16::from_le_bytes(*kind)) {
        Some(LATER_CONTROL) => None,
        Some(LATER_DELTA) => {
            let mut known = BytesMut::from(&frame[..]);
            known[..2].copy_from_slice(&DELTA.to_le_bytes());
            Some(known.freeze())
        }
        _ => Some(frame.clone()),
    }
}

/// The frame that it sends to every member now and then.
pub fn greeting() -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u16_le(LATER_CONTROL);
    frame.put_slice(b"\x82\x01");
    frame.put_slice(APPENDED);
    frame.freeze()
}

/// Every commit of the next version also writes its own field.
pub fn write(changes: &mut Changes, value: u64) {
    let name = FieldName::received(FIELD).expect("a system name as nodes send it");
    changes.put(name, Some(Value { codec: CODEC, bytes: value.to_le_bytes().to_vec().into() }));
}

/// The value of that field in a copy; a damaged field reads as a value that was never written.
pub fn read(fields: &Fields) -> Option<u64> {
    let value = fields.field(FIELD)?.value?;
    let bytes = value.bytes.try_into().ok().filter(|_| value.codec == CODEC);
    Some(bytes.map_or(u64::MAX, u64::from_le_bytes))
}

/// Every second change, by its position.
fn is_even(frame: &[u8]) -> bool {
    frame.get(PLACED_BODY - 4).is_some_and(|sequence| sequence % 2 == 0)
}

/// The phase is the second element of the body.
fn watch(body: &mut [u8]) {
    let mut decoder = Decoder::new(body);
    let found = decoder.array().and_then(|_| decoder.skip()).map(|()| decoder.position());
    if let Some(phase) = found.ok().and_then(|at| body.get_mut(at)).filter(|phase| **phase == READY) {
        *phase = WATCHING;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_says_more_and_may_watch() {
        let today = Bytes::from_static(b"\x01\x00\x85\x08\x02\xf5\x02\x01");
        let later = outgoing(&today, false);
        assert_eq!(later, [b"\x01\x00\x86\x08\x02\xf5\x02\x01", APPENDED].concat());
        assert_eq!(outgoing(&today, true)[4], WATCHING);
        assert_eq!(incoming(&later), Some(later));
    }

    #[test]
    fn a_change_travels_under_another_kind() {
        let today =
            Bytes::from_static(b"\x28\x00\x05\x02\x00\x00\x00\x04\x00\x00\x00\x85\x01\x02\x03\x04\x80");
        let later = outgoing(&today, false);
        assert_eq!((later[0], later[PLACED_BODY]), (LATER_DELTA as u8, 0x86));
        assert_eq!(incoming(&later).map(|known| known[0]), Some(DELTA as u8));
        assert_eq!(incoming(&greeting()), None);
    }
}
