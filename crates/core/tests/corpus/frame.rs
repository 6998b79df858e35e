//! Any bytes as frames from a member, separated by 0xFF: no panic, and nothing that one frame brings
//! outweighs it by far.

use bytes::Bytes;
use sessile_core::{Incarnation, Instant, Message, Node, PeerInfo, Position, Settings};

/// Bytes of a session in memory beside its content, generously.
const SESSION_COST: u64 = 4096;

/// Bytes of the shortest copy among others in one frame.
const SHORTEST_COPY: u64 = 27;

/// The body of the target `frame`.
pub(crate) fn frame(input: &[u8]) {
    let settings = Settings::new(Incarnation(1), "tc01");
    let (now, mut sent) = (Instant::ORIGIN, Vec::new());
    let mut effects = sessile_core::Effects::new(&mut sent);
    let node = Node::new(settings, now);
    node.listen(true);
    node.link_up(&PeerInfo { incarnation: Incarnation(2), name: "tc02".into() }, now, &mut effects);
    // A join first, so that the frames come from a member and reach the shards.
    let join = Bytes::from_static(b"\x03\x00\x82\x64tc02\x00");
    node.received(Incarnation(2), &join, now, &mut effects).expect("a well-formed join");
    let frames = input.split(|byte| *byte == 0xFF);
    let count = frames.clone().count() as u64 + input.len() as u64 / SHORTEST_COPY;
    for frame in frames {
        let _ = Message::of(frame);
        let _ = Position::of(frame);
        let _ = node.received(Incarnation(2), &Bytes::copy_from_slice(frame), now, &mut effects);
    }
    node.acknowledge(Incarnation(2), &mut effects);
    node.tick(now, &mut effects);
    assert!(node.session_count(None) <= count, "one frame or one copy in it brings one session");
    assert!(node.table_bytes() <= input.len() as u64 * 4 + count * SESSION_COST, "memory out of proportion");
}
