//! Comparisons of shards with many sessions: a listing has many pieces, of which few are on the way.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod cluster;

use std::time::Duration;

use cluster::Cluster;
use sessile_core::SessionKey;

/// More than the pieces that may be on the way hold.
const MANY: usize = 10 * 512 + 7;

fn neighbour(number: usize) -> SessionKey {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_le_bytes());
    SessionKey(key)
}

#[test]
fn a_listing_of_many_pieces_finds_what_differs_on_either_side() {
    let mut cluster = Cluster::start(2);
    for number in 0..MANY {
        cluster.create(0, neighbour(number));
        if number.is_multiple_of(64) {
            cluster.deliver();
        }
    }
    cluster.deliver();
    cluster.cut = vec![1];
    cluster.run(Duration::from_secs(8));
    for number in (0..MANY).step_by(500) {
        cluster.set(0, neighbour(number), "a", "1");
        cluster.set(1, neighbour(number), "b", "2");
        cluster.end(0, neighbour(number + 1));
    }
    for (node, from) in [(0, MANY), (1, 2 * MANY)] {
        for number in from..from + 5 {
            cluster.create(node, neighbour(number));
        }
    }
    cluster.sent.clear();
    cluster.cut.clear();
    cluster.run(Duration::from_secs(20));
    assert!(cluster.frames(0, "listing") > 10, "in pieces");
    for number in (0..MANY).step_by(500) {
        for node in 0..2 {
            let fields = ["a", "b"].map(|name| cluster.get(node, neighbour(number), name).is_some());
            assert_eq!(fields, [true; 2], "session {number} at node {node}");
            assert!(!cluster.nodes[node].holds(neighbour(number + 1)), "it ended");
        }
    }
    let counts = [0, 1].map(|node| cluster.nodes[node].session_count(None));
    assert_eq!(counts, [(MANY + 10 - MANY.div_ceil(500)) as u64; 2]);
}
