//! Any bytes as frames from a member, separated by 0xFF: no panic, and nothing that one frame brings outweighs it by far.

use std::sync::Arc;

use bytes::Bytes;
use sessile_core::{
    Boot, Bounds, Everybody, Instant, Message, Mode, Node, PeerInfo, Place, Plant, Settings, Timing,
};

/// What a session costs in memory beside its content, generously.
const SESSION_COST: u64 = 4096;

/// Bytes of the shortest copy among others in one frame.
const SHORTEST_COPY: u64 = 27;

/// The body of the target `frame`.
pub(crate) fn frame(input: &[u8]) {
    let settings = Settings {
        boot: Boot(1),
        name: "tc01".into(),
        timing: Timing::default(),
        bounds: Bounds::default(),
        copies: None,
        mode: Mode::Synchronous,
        stores: false,
        placement: Arc::new(Everybody),
        plant: Plant::None,
    };
    let (now, mut fx) = (Instant::ORIGIN, Vec::new());
    let node = Node::new(settings, now);
    node.listen(true);
    node.link_up(&PeerInfo { boot: Boot(2), name: "tc02".into() }, now, &mut fx);
    // A join first, so that the frames come from a member and reach the shards.
    let join = Bytes::from_static(b"\x03\x00\x82\x64tc02\x00");
    node.received(Boot(2), &join, now, &mut fx).expect("a well-formed join");
    let frames = input.split(|byte| *byte == 0xFF);
    let count = frames.clone().count() as u64 + input.len() as u64 / SHORTEST_COPY;
    for frame in frames {
        let _ = Message::of(frame);
        let _ = Place::of(frame);
        let _ = node.received(Boot(2), &Bytes::copy_from_slice(frame), now, &mut fx);
    }
    node.acknowledge(Boot(2), &mut fx);
    node.tick(now, &mut fx);
    assert!(node.session_count(None) <= count, "one frame or one copy in it brings one session");
    assert!(node.table_bytes() <= input.len() as u64 * 4 + count * SESSION_COST, "memory out of proportion");
}
