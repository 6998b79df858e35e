//! Every order to a driver is an effect: events are for logs and counters, and may be thrown away.

mod cluster;

use std::time::Duration;

use cluster::{Cluster, key};
use sessile_core::{Effect, Incarnation, NodeState};

const LONG: Duration = Duration::from_secs(8);

fn ended(cluster: &Cluster, node: usize) -> usize {
    let is_end =
        |(by, effect): &&(usize, Effect)| *by == node && matches!(effect, Effect::SessionEnded { .. });
    cluster.others.iter().filter(is_end).count()
}

fn lost(cluster: &Cluster, node: usize) -> usize {
    let is_loss = |(by, effect): &&(usize, Effect)| *by == node && matches!(effect, Effect::MemberLost);
    cluster.others.iter().filter(is_loss).count()
}

#[test]
fn the_end_of_a_session_is_an_effect_on_every_node_that_held_it() {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.end(1, key(1));
    cluster.deliver();
    assert_eq!((ended(&cluster, 0), ended(&cluster, 1)), (1, 1));
    cluster.end(1, key(2));
    assert_eq!(ended(&cluster, 1), 1, "nothing was here of it");
}

#[test]
fn the_loss_of_a_member_is_an_effect_and_its_goodbye_is_none() {
    let mut cluster = Cluster::start(3);
    cluster.act(2, |node, now, effects| node.leave(now, effects));
    cluster.run(LONG);
    assert_eq!(lost(&cluster, 0), 0);
    cluster.act(0, |node, now, effects| node.gone(Incarnation(2), now, effects));
    assert_eq!(lost(&cluster, 0), 1);
}

#[test]
fn a_node_whose_state_changes_tells_whoever_waits_for_it() {
    let mut cluster = Cluster::start(2);
    let is_told = |cluster: &mut Cluster, node: usize| {
        let told =
            cluster.others.iter().any(|(by, effect)| *by == node && matches!(effect, Effect::GateMoved));
        cluster.others.clear();
        told
    };
    assert!(is_told(&mut cluster, 0), "it became ready");
    // Another process of the same name: refused without ever having served.
    cluster.add(&[0, 1], |settings| settings.name = "tc01".to_owned());
    cluster.run(Duration::from_secs(1));
    assert_eq!(cluster.nodes[2].state(), NodeState::Refused);
    assert!(is_told(&mut cluster, 2), "its gate was never open and did not move");
    assert_eq!(cluster.nodes[2].refused_by(), Some(Incarnation(1)));
}

#[test]
fn a_node_knows_whether_it_got_the_state_of_others() {
    let cluster = Cluster::start(2);
    let received = |node: usize| cluster.nodes[node].counters().transfers_received;
    assert_eq!(received(0) + received(1), 1, "one of them began the cluster");
}
