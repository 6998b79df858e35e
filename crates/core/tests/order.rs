//! Frames that arrive in another order than they were sent, and frames that are lost on the way.

mod cluster;

use std::time::Duration;

use bytes::Bytes;
use cluster::{APP, Cluster, SECRET, key};
use sessile_core::{Changes, FieldName, FrameKind, Incarnation, SessionKey, Value};

/// The changes of one node that are on the way to the other, in the order in which they were sent.
fn changes_on_the_way(cluster: &mut Cluster) -> Vec<Bytes> {
    let is_change = |frame: &Bytes| ["delta", "snapshot"].contains(&FrameKind::of(frame).name());
    cluster.take_wires().into_iter().map(|(_, _, frame)| frame).filter(is_change).collect()
}

/// A session on both nodes, and then writes of the first that the second has not got.
fn writes(count: usize) -> (Cluster, Vec<Bytes>) {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.deliver();
    for number in 0..count {
        cluster.set(0, key(1), &format!("a{number}"), "x");
    }
    let frames = changes_on_the_way(&mut cluster);
    assert_eq!(frames.len(), count);
    (cluster, frames)
}

fn receive(cluster: &mut Cluster, frame: &Bytes) {
    cluster.act(1, |node, now, effects| {
        node.received(Incarnation(1), frame, now, effects).expect("our own frames are well formed");
        node.acknowledge(Incarnation(1), effects);
    });
}

fn has(cluster: &Cluster, number: usize) -> bool {
    cluster.get(1, key(1), &format!("a{number}")).is_some()
}

#[test]
fn a_frame_that_overtook_others_waits_for_them_and_nothing_is_sent_again() {
    let (mut cluster, frames) = writes(4);
    for number in [2, 1, 3, 2] {
        receive(&mut cluster, &frames[number]);
        assert!((0..4).all(|number| !has(&cluster, number)), "the first one has not come");
    }
    receive(&mut cluster, &frames[0]);
    assert!((0..4).all(|number| has(&cluster, number)));
    cluster.deliver();
    assert!(cluster.nodes[0].is_settled(key(1)), "one acknowledgement for all of them");
    let counters = cluster.nodes[0].counters();
    assert_eq!((counters.restarts, cluster.nodes[1].counters().frames_early), (0, 3));
}

#[test]
fn a_frame_waits_a_quarter_of_the_ack_timeout_for_one_that_is_lost() {
    let (mut cluster, frames) = writes(2);
    receive(&mut cluster, &frames[1]);
    let quarter = sessile_core::Timing::default().ack_timeout / 4;
    let sent_at = cluster.now;
    while cluster.frames(1, "gap") == 0 {
        cluster.run(Duration::from_millis(125));
        assert!(cluster.now.since(sent_at) <= quarter + Duration::from_millis(125));
    }
    assert!(cluster.now.since(sent_at) >= quarter);
    cluster.run(Duration::from_millis(125));
    assert!((0..2).all(|number| has(&cluster, number)), "copies were sent");
}

#[test]
fn what_waits_is_bounded_in_frames_and_in_bytes() {
    let (mut cluster, frames) = writes(70);
    for frame in &frames[1..65] {
        receive(&mut cluster, frame);
    }
    assert_eq!(cluster.frames(1, "gap"), 0);
    receive(&mut cluster, &frames[65]);
    assert_eq!(cluster.frames(1, "gap"), 1);
    receive(&mut cluster, &frames[66]);
    assert_eq!(cluster.frames(1, "gap"), 1, "once for each epoch");
    cluster.deliver();
    assert!((0..70).all(|number| has(&cluster, number)), "copies were sent");

    let mut cluster = Cluster::start(2);
    let frames: Vec<Bytes> = (1..=4)
        .flat_map(|_| {
            let large = Value::raw(vec![7; 600 << 10]);
            let key = SessionKey([9; 16]);
            let mut changes = Changes::new();
            if cluster.fields(0, key).is_none() {
                changes = Changes::create(APP, SECRET, Duration::from_secs(1800), None);
            }
            changes.put(FieldName::attribute("large").expect("a valid name"), Some(large));
            cluster.commit(0, key, &changes).expect("committed");
            changes_on_the_way(&mut cluster)
        })
        .collect();
    receive(&mut cluster, &frames[1]);
    assert_eq!(cluster.frames(1, "gap"), 0);
    receive(&mut cluster, &frames[2]);
    assert_eq!(cluster.frames(1, "gap"), 1, "two of them are more than a megabyte");
}
