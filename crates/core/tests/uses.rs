//! Uses are announced, so that no session expires sooner than its idle time after the last one.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod cluster;

use std::time::Duration;

use cluster::{APP, Cluster, SECRET, key};
use sessile_core::{Changes, Incarnation, Opening};

/// How long the session may be idle: uses are announced every ten seconds.
const IDLE: u64 = 80;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Two nodes with a session that was just made at the first.
fn with_one_session() -> Cluster {
    let mut cluster = Cluster::start(2);
    let changes = Changes::create(APP, SECRET, seconds(IDLE), None);
    cluster.commit(0, key(1), &changes).unwrap();
    cluster.deliver();
    cluster
}

fn open(cluster: &mut Cluster) {
    assert!(matches!(cluster.open(0, key(1)), Opening::Open(_)));
}

fn close(cluster: &Cluster) {
    cluster.nodes[0].close(key(1), cluster.now);
}

/// The first node dies; whether the other has the session for so long.
fn outlives(cluster: &mut Cluster, time: Duration) -> bool {
    cluster.cut = vec![0];
    cluster.act(1, |node, now, effects| node.gone(Incarnation(1), now, effects));
    cluster.run(time);
    cluster.nodes[1].holds(key(1))
}

#[test]
fn the_end_of_a_long_request_is_a_use_that_others_are_told_of() {
    let mut cluster = with_one_session();
    open(&mut cluster);
    cluster.run(seconds(70));
    close(&cluster);
    cluster.run(seconds(1));
    assert!(outlives(&mut cluster, seconds(IDLE - 5)));
    assert!(!outlives(&mut cluster, seconds(30)), "and it expires");
}

#[test]
fn a_long_request_is_a_use_while_it_goes_on() {
    let mut cluster = with_one_session();
    open(&mut cluster);
    cluster.run(seconds(70));
    assert!(outlives(&mut cluster, seconds(IDLE - 15)));
}

#[test]
fn a_use_whose_announcement_is_lost_is_announced_again() {
    let mut cluster = with_one_session();
    cluster.run(seconds(20));
    cluster.lost = ["delta", "touch"].map(|kind| (0, 1, kind)).to_vec();
    open(&mut cluster);
    close(&cluster);
    cluster.deliver();
    assert!(!cluster.nodes[0].is_settled(key(1)), "the response waits for it");
    cluster.lost.clear();
    cluster.run(seconds(3));
    assert!(cluster.nodes[0].is_settled(key(1)));
    assert!(outlives(&mut cluster, seconds(IDLE - 5)));
}

#[test]
fn a_use_fetches_no_content_from_a_store_and_writes_none() {
    let mut cluster = with_one_session();
    let version = cluster.nodes[1].version(key(1)).unwrap();
    assert!(cluster.nodes[1].swap_out(key(1), version));
    cluster.run(seconds(20));
    open(&mut cluster);
    close(&cluster);
    cluster.deliver();
    assert!(cluster.nodes[0].is_settled(key(1)) && cluster.nodes[1].is_swapped_out(key(1)));
    let fetches =
        cluster.others.iter().filter(|(_, effect)| matches!(effect, sessile_core::Effect::Fetch { .. }));
    assert_eq!(fetches.count(), 0);
    cluster.cut = vec![0];
    cluster.act(1, |node, now, effects| node.gone(Incarnation(1), now, effects));
    cluster.run(seconds(IDLE - 5));
    assert!(cluster.nodes[1].is_swapped_out(key(1)), "it knows of the use");
}
