//! Any bytes as a frame from a member: the node must neither panic nor grow beyond its bounds.
//!
//! `cargo fuzz run frame` (nightly, or `RUSTC_BOOTSTRAP=1` on stable).

#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sessile_core::{
    Boot, Bounds, Everybody, Instant, Message, Mode, Node, PeerInfo, Plant, Settings, Timing,
};

fuzz_target!(|input: &[u8]| {
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
    node.link_up(&PeerInfo { boot: Boot(2), name: "tc02".into() }, now, &mut fx);
    // A join first, so that the frame comes from a member and reaches the shards.
    let join = Bytes::from_static(b"\x03\x00\x82\x64tc02\x00");
    node.received(Boot(2), &join, now, &mut fx).expect("a well-formed join");
    for frame in input.split(|byte| *byte == 0xFF) {
        let _ = Message::of(frame);
        let _ = node.received(Boot(2), &Bytes::copy_from_slice(frame), now, &mut fx);
    }
    node.acknowledge(Boot(2), &mut fx);
    node.tick(now, &mut fx);
});
