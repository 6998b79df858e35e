//! Nodes that lack something: on their way back, incomplete, or after a goodbye.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod cluster;

use std::time::Duration;

use cluster::{APP, Cluster, SECRET, key};
use sessile_core::{AppId, Changes, Gate, Incarnation, NodeState, NotSent, Opening, SessionKey};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn state_of(cluster: &Cluster, seen_by: usize, node: usize) -> &'static str {
    let rows = cluster.nodes[seen_by].members(cluster.now);
    rows.iter().find(|row| row.incarnation == Incarnation(node as u32 + 1)).unwrap().state
}

#[test]
fn a_node_that_returns_is_ready_when_the_ends_that_were_announced_to_it_are_there() {
    let mut cluster = Cluster::start(2);
    let changes = Changes::create(APP, SECRET, seconds(60), None);
    cluster.commit(0, key(1), &changes).unwrap();
    cluster.run(seconds(1));
    cluster.cut = vec![1];
    cluster.run(seconds(8));
    cluster.end(0, key(1));
    // Where it lives it is used, and where it ended its tombstone is forgotten.
    for _ in 0..9 {
        cluster.run(seconds(10));
        assert!(matches!(cluster.open(1, key(1)), Opening::Open(_)));
        cluster.nodes[1].close(key(1), cluster.now);
    }
    assert_eq!(cluster.nodes[0].glance(key(1), cluster.now), None);
    cluster.cut.clear();
    cluster.lost = vec![(0, 1, "end")];
    for _ in 0..20 {
        cluster.run(Duration::from_millis(500));
        assert!(cluster.gate(1) != Gate::Open || cluster.nodes[1].ended_for(key(1), cluster.now).is_some());
    }
    cluster.lost.clear();
    cluster.run(seconds(10));
    assert_eq!(cluster.gate(1), Gate::Open);
    assert!(cluster.nodes[1].ended_for(key(1), cluster.now).is_some());
}

#[test]
fn an_incomplete_node_that_drains_stays_incomplete_until_it_has_compared() {
    let mut cluster = Cluster::start(1);
    cluster.create(0, key(1));
    cluster.lost = vec![(0, 1, "synced")];
    cluster.add(&[0], |settings| settings.timing.transfer_timeout = Some(seconds(2)));
    cluster.run(seconds(4));
    assert_eq!(cluster.nodes[1].state(), NodeState::Incomplete);
    cluster.act(1, |node, now, effects| node.drain(now, effects));
    cluster.run(seconds(1));
    assert_eq!((cluster.nodes[1].state(), state_of(&cluster, 0, 1)), (NodeState::Draining, "incomplete"));
    let compared = cluster.act(1, |node, now, effects| node.compare_again(now, effects));
    assert_eq!(compared, [], "it is no node to compare with");
    cluster.lost.clear();
    cluster.run(seconds(20));
    assert!(cluster.nodes[1].holds(key(1)));
    assert_eq!((cluster.nodes[1].state(), state_of(&cluster, 0, 1)), (NodeState::Draining, "draining"));
}

#[test]
fn after_a_goodbye_the_others_compare() {
    let mut cluster = Cluster::start(3);
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.lost = vec![(2, 1, "delta")];
    cluster.set(2, key(1), "a", "1");
    cluster.deliver();
    cluster.act(2, |node, now, effects| node.leave(now, effects));
    cluster.deliver();
    cluster.cut = vec![2];
    cluster.run(seconds(5));
    assert_eq!(cluster.get(1, key(1), "a").as_deref(), Some("1"));
}

#[test]
fn an_end_that_a_member_lacks_is_not_forgotten_though_there_are_too_many() {
    const SHARD: usize = 1 << 16;
    let neighbour = |number: usize| {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_le_bytes());
        SessionKey(key)
    };
    let mut cluster = Cluster::start(2);
    cluster.create(0, neighbour(0));
    cluster.deliver();
    cluster.refusing = vec![(0, 1, NotSent::QueueFull)];
    let logout = cluster.end(0, neighbour(0));
    let app = AppId::of_path("/");
    for number in 1..=SHARD + 600 {
        cluster.now = cluster.now.plus(Duration::from_micros(1));
        cluster.act(0, |node, now, effects| {
            node.end_carried(neighbour(number), app, seconds(3_600), None, now, effects)
        });
    }
    cluster.run(seconds(1));
    assert_eq!(cluster.receipt(0, logout), None, "the logout is not answered");
    cluster.refusing.clear();
    cluster.run(seconds(1));
    assert!(!cluster.nodes[1].holds(neighbour(0)));
    assert_eq!(cluster.receipt(0, logout).map(|receipt| receipt.copies), Some(2));
}
