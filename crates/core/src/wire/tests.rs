use std::time::Duration;

use minicbor::bytes::ByteArray;
use proptest::prelude::*;

use super::*;
use crate::Instant;
use crate::session::Session;

const GOLDEN: &str = include_str!("golden.txt");

const KEY: [u8; 16] = [7; 16];

const END_OF_IT: End = End {
    key: KEY,
    app: 3,
    birth_incarnation: 1,
    birth_number: 9,
    expired: true,
    touch: 4,
    keep_ms: 1_800_000,
    clock: 12,
};

/// One frame of every kind, as this protocol version writes it.
fn one_of_each() -> Vec<(&'static str, Bytes)> {
    let mut frames = without_place();
    frames.extend(with_place());
    frames.push(("message", Message { number: 8, topic: "cache", content: b"drop" }.to_frame()));
    frames
}

fn snapshot() -> Snapshot<'static> {
    let timestamped =
        StampedField { name: "cart".into(), counter: 12, writer: 1, codec: 1, value: Some(b"umbrella") };
    let removed = StampedField { name: "coupon".into(), counter: 11, writer: 2, codec: 0, value: None };
    Snapshot {
        key: KEY,
        app: 3,
        birth_incarnation: 1,
        birth_number: 9,
        clock: 12,
        touch: 4,
        idle_ms: 250,
        age_ms: 60_000,
        fields: vec![timestamped, removed],
    }
}

fn without_place() -> Vec<(&'static str, Bytes)> {
    let line = AckLine {
        shard: 5,
        epoch: 2,
        first: 298,
        next: 301,
        exceptions: vec![
            Exception { sequence: 299, verdict: Verdict::NeedSnapshot, copy: None },
            Exception { sequence: 300, verdict: Verdict::Full, copy: Some(1) },
        ],
    };
    let entry = Entry { key: KEY, fingerprint: u64::MAX, birth_incarnation: 1, birth_number: 9 };
    let view = vec![MemberEntry { incarnation: 1, name: "tc01".into() }];
    let answer = Answer { ask: 77, key: KEY, end: Some(END_OF_IT), copy: Some(snapshot()), touch: Some(4) };
    vec![
        ("heartbeat", encode(&Heartbeat { number: 8, phase: Phase::Ready, member: true, side: 2, least: 1 })),
        ("echo", encode(&Echo { number: 8, grant: true })),
        ("join", encode(&Join { name: "tc02".into(), phase: Phase::Starting })),
        ("included", encode(&Included { view, phase: Phase::Ready })),
        ("refused", encode(&Refused { reason: RefusedReason::NameTaken, by: 1 })),
        ("leave", encode(&Leave {})),
        ("removed", encode(&Removed { incarnation: 2, gone: true })),
        ("adopted", encode(&Adopted { incarnation: 2 })),
        ("out", encode(&Out {})),
        ("touch", encode(&Touch { key: KEY, touch: 5 })),
        ("ack", encode(&Ack { lines: vec![line] })),
        ("gap", encode(&Gap { shard: 5, epoch: 2 })),
        ("ask", encode(&Ask { ask: 77, key: KEY, expiry: false })),
        ("answer", encode(&answer)),
        ("digest", encode(&Digest { shard: 5, round: 1, sessions: 2, fingerprint: 3, joining: true })),
        ("listing", encode(&Listing { shard: 5, round: 1, piece: 0, last: true, entries: vec![entry] })),
        (
            "want",
            encode(&Want { shard: 5, round: 1, piece: 0, last: true, keys: vec![ByteArray::from(KEY)] }),
        ),
        ("synced", encode(&Synced { shard: 5, round: 1, marks: vec![Mark { incarnation: 1, number: 9 }] })),
        ("not donor", encode(&NotDonor { shard: 5, round: 1 })),
    ]
}

fn with_place() -> Vec<(&'static str, Bytes)> {
    let position = Position { shard: 5, epoch: 2, sequence: 300 };
    let change = FieldChange { name: "cart", codec: 1, value: Some(b"umbrella") };
    let gone = FieldChange { name: "coupon", codec: 0, value: None };
    let delta = Delta { key: KEY, counter: 12, writer: 1, touch: 4, fields: vec![change, gone] };
    let session =
        Session::from_snapshot(&snapshot(), &Bytes::new(), Instant::after_origin(Duration::from_secs(99)));
    let session = session.expect("nothing in it is impossible");
    let copy = session.packed(Instant::after_origin(Duration::from_secs(99))).expect("it is small");
    let copies = Copies { copies: vec![copy.clone(), copy] };
    vec![
        ("delta", Draft::delta(&delta, 32).at(position)),
        ("snapshot", Draft::snapshot(&snapshot(), 32).at(position)),
        ("end", Draft::end(&END_OF_IT).at(position)),
        ("copies", Draft::copies(&copies).at(position)),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The bytes on the wire do not change by accident between releases: an intended change is made in
/// `golden.txt` and announced in PROTOCOL.md.
#[test]
fn frames_are_written_as_they_always_were() {
    let written: String =
        one_of_each().iter().map(|(name, frame)| format!("{name}: {}\n", hex(frame))).collect();
    assert_eq!(written, GOLDEN, "the wire format changed; now written:\n{written}");
}

#[test]
fn every_golden_frame_is_understood() {
    for line in GOLDEN.lines() {
        let (name, frame) = line.split_once(": ").unwrap();
        let frame = unhex(frame);
        let is_message = Message::of(&frame).unwrap().is_some();
        assert!(is_message || decode(&frame).unwrap().is_some(), "{name}");
    }
}

#[test]
fn a_newer_nodes_frames_are_understood_as_far_as_possible() {
    // Kind 999 is not known here: skipped, not an error.
    assert!(decode(&[0xE7, 0x03, 1, 2, 3]).unwrap().is_none());
    // A heartbeat with a sixth field and a phase of a later version.
    let beat = unhex("010086080907020101f6");
    let beat = [&beat[..4], &unhex("1863f502016161")[..]].concat();
    let Frame::Membership(MembershipFrame::Heartbeat(beat)) = decode(&beat).unwrap().unwrap() else {
        panic!("a heartbeat")
    };
    assert_eq!((beat.number, beat.phase), (8, Phase::Starting));
}

#[test]
fn damaged_frames_are_errors_that_name_the_kind() {
    assert!(matches!(decode(&[1]), Err(Malformed::TooShort(1))));
    for (name, frame) in one_of_each() {
        if name == "leave" || name == "out" {
            continue; // Nothing but a kind and an empty array.
        }
        for cut in 2..frame.len() {
            assert!(Message::of(&frame[..cut]).and(decode(&frame[..cut])).is_err(), "{name} cut at {cut}");
        }
    }
    let no_such_shard = unhex("280010000000000000000080");
    assert!(matches!(decode(&no_such_shard), Err(Malformed::OutOfRange { .. })));
}

proptest! {
    #[test]
    fn any_bytes_give_a_frame_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
    }

    /// Random damage to real frames reaches deeper into the decoders than random bytes.
    #[test]
    fn any_damage_gives_a_frame_or_an_error(
        which in 0_usize..24,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut frame = one_of_each()[which].1.to_vec();
        for (index, byte) in damage {
            let index = index.index(frame.len());
            frame[index] = byte;
        }
        let _ = (decode(&frame), Message::of(&frame));
    }

    #[test]
    fn a_delta_comes_out_as_it_went_in(
        key in any::<[u8; 16]>(),
        counter in any::<u64>(),
        writer in any::<u32>(),
        touch in any::<u32>(),
        fields in proptest::collection::vec(
            (".{1,20}", any::<u8>(), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300))),
            0..8,
        ),
    ) {
        let changes = fields.iter().map(|(name, codec, value)| FieldChange {
            name,
            codec: *codec,
            value: value.as_deref(),
        });
        let delta = Delta { key, counter, writer, touch, fields: changes.collect() };
        let position = Position { shard: 3, epoch: writer, sequence: touch };
        let frame = Draft::delta(&delta, 0).at(position);
        let decoded = decode(&frame).unwrap();
        let Some(Frame::Sequenced(at, Sequenced::Delta(read))) = decoded else { panic!("a delta") };
        prop_assert_eq!((at, read), (position, delta));
    }
}
