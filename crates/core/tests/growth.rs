//! Bytes of all sessions are bounded: what finds no room is refused before anything that was accepted
//! suffers.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod cluster;

use std::time::Duration;

use cluster::Cluster;
use sessile_core::{Absent, Changes, FieldName, Opening, Refusal, SessionKey, Value};

/// A node's bytes, and the share of each of its sixteen shards.
const NODE: usize = 1 << 20;
const SHARD: usize = NODE / 16;

/// Sessions of one shard.
fn neighbour(number: u8) -> SessionKey {
    let mut key = [0; 16];
    key[0] = number;
    SessionKey(key)
}

fn write(bytes: usize) -> Changes {
    let mut changes = Changes::new();
    changes.put(FieldName::attribute("a").unwrap(), Some(Value::raw(vec![7; bytes])));
    changes
}

/// Bytes of the attribute.
fn size(cluster: &Cluster, node: usize, key: SessionKey) -> Option<usize> {
    Some(cluster.fields(node, key)?.get("a")?.bytes.len())
}

fn room(bytes: usize) -> impl Fn(&mut sessile_core::Settings) {
    move |settings| settings.bounds.max_table_bytes = bytes
}

/// Two nodes, the second with room for little more than one session of this size in each shard.
fn with_a_small_one() -> Cluster {
    let mut cluster = Cluster::start(1);
    cluster.add(&[0], room(NODE));
    cluster.run(Duration::from_secs(5));
    cluster
}

#[test]
fn a_session_that_would_grow_above_the_bound_is_refused_and_stays_as_it_is() {
    let mut cluster = Cluster::with(1, room(NODE));
    for number in 0..4 {
        cluster.create(0, neighbour(number));
    }
    let mut refused = None;
    for step in 1..=SHARD / 1_000 {
        for number in 0..4 {
            refused = refused.or(cluster.commit(0, neighbour(number), &write(step * 1_000)).err());
        }
    }
    assert_eq!(refused, Some(Refusal::NoRoomToGrow));
    assert!(cluster.nodes[0].table_bytes() <= SHARD as u64);
    let before = size(&cluster, 0, neighbour(0)).unwrap();
    assert_eq!(cluster.commit(0, neighbour(0), &write(SHARD)), Err(Refusal::NoRoomToGrow));
    assert_eq!(size(&cluster, 0, neighbour(0)), Some(before));
    cluster.commit(0, neighbour(0), &write(before)).expect("it does not grow");
    cluster.commit(0, neighbour(0), &write(10)).expect("it becomes smaller");
    cluster.commit(0, neighbour(1), &write(before + 1_000)).expect("there is room again");
}

#[test]
fn a_member_without_room_for_a_change_is_behind_and_asks_before_it_serves() {
    let mut cluster = with_a_small_one();
    let (s, other) = (neighbour(1), neighbour(2));
    for key in [s, other] {
        cluster.create(0, key);
        cluster.commit(0, key, &write(SHARD * 4 / 10)).unwrap();
    }
    cluster.deliver();
    assert_eq!(size(&cluster, 1, s), Some(SHARD * 4 / 10));
    let ticket = cluster.commit(0, s, &write(SHARD * 7 / 10)).unwrap();
    cluster.deliver();
    assert_eq!(
        cluster.receipt(0, ticket).map(|receipt| receipt.copies),
        Some(1),
        "it is degraded, and says so"
    );
    assert!(cluster.nodes[1].table_bytes() <= SHARD as u64);
    assert!(matches!(cluster.open(1, s), Opening::Absent(Absent::NoRoom)), "never what is older");
    // A later change, for which there would be room, does not make it seem to have all.
    cluster.set(0, s, "b", "1");
    cluster.deliver();
    assert!(matches!(cluster.open(1, s), Opening::Absent(Absent::NoRoom)));
    cluster.end(0, other);
    cluster.run(Duration::from_secs(6));
    assert_eq!(size(&cluster, 1, s), Some(SHARD * 7 / 10), "it catches up when there is room");
    assert!(matches!(cluster.open(1, s), Opening::Open(_)));
}

#[test]
fn a_member_without_room_for_a_copy_of_what_it_has_swapped_out_asks_before_it_serves() {
    let mut cluster = with_a_small_one();
    let (s, other) = (neighbour(1), neighbour(2));
    cluster.create(0, s);
    cluster.commit(0, s, &write(10)).unwrap();
    cluster.deliver();
    let version = cluster.nodes[1].version(s).unwrap();
    assert!(cluster.nodes[1].swap_out(s, version));
    cluster.create(0, other);
    cluster.commit(0, other, &write(SHARD * 8 / 10)).unwrap();
    cluster.deliver();
    let ticket = cluster.commit(0, s, &write(SHARD * 4 / 10)).unwrap();
    cluster.run(Duration::from_secs(1));
    assert_eq!(cluster.receipt(0, ticket).map(|receipt| receipt.copies), Some(1));
    assert!(matches!(cluster.open(1, s), Opening::Absent(Absent::NoRoom)), "not what is in its store");
}

#[test]
fn what_is_accepted_by_another_member_at_the_same_time_finds_room() {
    let mut cluster = Cluster::with(2, room(NODE));
    for (node, number) in [(0, 1), (1, 2)] {
        cluster.create(node, neighbour(number));
        cluster.deliver();
    }
    let most = SHARD * 15 / 16 / 2 - 1_000;
    let tickets = [(0, 1), (1, 2)].map(|(node, number)| {
        (node, cluster.commit(node, neighbour(number), &write(most)).expect("its own share"))
    });
    cluster.deliver();
    let whole = |(node, ticket)| cluster.receipt(node, ticket).map(|receipt| receipt.copies) == Some(2);
    assert!(tickets.into_iter().all(whole));
    assert_eq!(cluster.gate(0), cluster.gate(1));
}
