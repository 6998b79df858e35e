//! Processes that were stopped, and what they may do when they go on.

mod cluster;

use std::time::Duration;

use cluster::{Cluster, key};
use sessile_core::{Event, Gate, Incarnation, Opening, PeerInfo};

/// Longer than the drop time and a lease: others have gone on.
const LONG: Duration = Duration::from_secs(8);
/// Shorter than the drop time.
const SHORT: Duration = Duration::from_secs(2);

/// What waited for the nodes is read, and they have gone on for `time`.
fn go_on(cluster: &mut Cluster, nodes: &[usize], time: Duration) {
    cluster.stopped.retain(|node| !nodes.contains(node));
    cluster.deliver();
    cluster.run(time);
}

/// They find each other.
fn link(cluster: &mut Cluster, one: usize, other: usize) {
    for (from, to) in [(one, other), (other, one)] {
        let peer = PeerInfo { incarnation: Incarnation(to as u32 + 1), name: format!("tc{:02}", to + 1) };
        cluster.act(from, |node, now, effects| node.link_up(&peer, now, effects));
    }
}

#[test]
fn two_that_were_stopped_as_long_do_not_tell_each_other_that_nobody_went_on() {
    let mut cluster = Cluster::start(3);
    cluster.stopped = vec![1, 2];
    cluster.cut = vec![0];
    cluster.run(LONG);
    assert_eq!(cluster.gate(0), Gate::Open, "it went on alone");
    let ticket = cluster.create(0, key(1));
    assert!(cluster.receipt(0, ticket).expect("settled: the others are out").is_degraded());

    cluster.stopped = vec![0, 1, 2];
    cluster.cut.clear();
    cluster.run(SHORT);
    go_on(&mut cluster, &[1, 2], Duration::from_secs(4));
    for node in [1, 2] {
        assert_ne!(cluster.gate(node), Gate::Open, "node {node} gave up the one that had gone on alone");
    }
    go_on(&mut cluster, &[0], LONG);
    for node in 0..3 {
        assert_eq!(cluster.gate(node), Gate::Open);
        assert!(matches!(cluster.open(node, key(1)), Opening::Open(_)), "node {node}");
    }
}

#[test]
fn all_that_were_stopped_at_once_go_on_as_soon_as_they_go_on() {
    let mut cluster = Cluster::start(3);
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.stopped = vec![0, 1, 2];
    cluster.run(LONG);
    go_on(&mut cluster, &[0, 1, 2], Duration::from_secs(1));
    assert!((0..3).all(|node| cluster.gate(node) == Gate::Open));
    // Nobody is in doubt any more: a death costs no time.
    cluster.cut = vec![2];
    for node in [0, 1] {
        cluster.act(node, |node, now, effects| node.gone(Incarnation(3), now, effects));
    }
    cluster.deliver();
    assert_eq!((cluster.gate(0), cluster.gate(1)), (Gate::Open, Gate::Open));
}

#[test]
fn who_was_stopped_for_less_than_its_leases_last_goes_on_when_a_member_dies() {
    for (stopped_for, open) in [(Duration::from_millis(1_250), true), (Duration::from_millis(2_250), false)] {
        let mut cluster = Cluster::start(3);
        cluster.stopped = vec![0];
        cluster.run(stopped_for);
        cluster.cut = vec![2];
        for node in [0, 1] {
            cluster.act(node, |node, now, effects| node.gone(Incarnation(3), now, effects));
        }
        assert_eq!(cluster.gate(0) == Gate::Open, open, "stopped for {stopped_for:?}");
        assert_eq!(cluster.events.iter().any(|(node, event)| *node == 0 && stepped_out(event)), !open);
        go_on(&mut cluster, &[0], LONG);
        assert_eq!((cluster.gate(0), cluster.gate(1)), (Gate::Open, Gate::Open));
    }
}

fn stepped_out(event: &Event) -> bool {
    matches!(event, Event::SteppedOut { .. })
}

/// Node 1 lets node 2 in, which can reach `others`, and leaves while node 0 is stopped. Node 2 begins alone
/// and has a session; then node 0 goes on.
fn left_by_the_last(others: &[usize]) -> Cluster {
    let mut cluster = Cluster::start(2);
    cluster.stopped = vec![0];
    cluster.add_linked_with(others);
    cluster.run(SHORT);
    cluster.act(1, |node, now, effects| node.leave(now, effects));
    cluster.deliver();
    cluster.stopped.push(1);
    cluster.act(2, |node, now, effects| node.gone(Incarnation(2), now, effects));
    cluster.run(LONG);
    assert_eq!(cluster.gate(2), Gate::Open, "it began alone");
    cluster.create(2, key(1));
    cluster
}

#[test]
fn a_goodbye_that_waited_does_not_make_its_reader_the_only_one() {
    let mut cluster = left_by_the_last(&[1]);
    go_on(&mut cluster, &[0], Duration::from_millis(250));
    assert_ne!(cluster.gate(0), Gate::Open, "nobody is left to tell whom the other let in");
    link(&mut cluster, 0, 2);
    cluster.run(LONG);
    assert_eq!(cluster.gate(0), Gate::Open);
    assert!(matches!(cluster.open(0, key(1)), Opening::Open(_)));
}

#[test]
fn a_join_that_waited_is_no_lease() {
    let mut cluster = left_by_the_last(&[0, 1]);
    // What waited is read, and nothing of today comes back.
    cluster.stopped = vec![1, 2];
    cluster.deliver();
    assert_ne!(cluster.gate(0), Gate::Open);
    go_on(&mut cluster, &[2], LONG);
    assert_eq!((cluster.gate(0), cluster.gate(2)), (Gate::Open, Gate::Open));
    assert!(matches!(cluster.open(0, key(1)), Opening::Open(_)));
}

#[test]
fn what_comes_back_to_a_founder_that_held_nothing_wins_over_who_was_stopped_and_knows_more() {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.stopped = vec![0];
    cluster.run(LONG);
    for value in ["hat", "coat", "umbrella"] {
        cluster.set(1, key(1), "cart", value);
    }
    cluster.stopped = vec![0, 1];
    cluster.add_linked_with(&[]);
    cluster.run(LONG);
    assert_eq!(cluster.gate(2), Gate::Open, "it began alone");

    link(&mut cluster, 0, 2);
    go_on(&mut cluster, &[0], LONG);
    assert!(matches!(cluster.open(2, key(1)), Opening::Open(_)), "all that is left of the session");
    let ticket = cluster.set(0, key(1), "cart", "gloves");
    cluster.deliver();
    assert_eq!(cluster.receipt(0, ticket).expect("settled").copies, 2);

    link(&mut cluster, 1, 2);
    go_on(&mut cluster, &[1], LONG);
    for node in 0..3 {
        assert_eq!(cluster.gate(node), Gate::Open);
        assert_eq!(cluster.get(node, key(1), "cart").as_deref(), Some("gloves"), "node {node}");
    }
}
