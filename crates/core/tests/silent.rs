//! A process that may hold the state is there and says nothing (rule 5.16).

mod cluster;

use std::time::Duration;

use cluster::{Cluster, key};
use sessile_core::{Event, Gate, NodeState};

const TRANSFER: Duration = Duration::from_secs(8);

/// A node that has the cluster, and more that search and find it silent.
fn silent(joiners: usize) -> Cluster {
    let mut cluster = Cluster::start(1);
    cluster.create(0, key(1));
    for joiner in 1..=joiners {
        let others: Vec<usize> = (1..joiner).collect();
        cluster.add_unsearched(&others, |settings| settings.timing.transfer_timeout = Some(TRANSFER));
        cluster.act(joiner, |node, now, effects| node.search_timed_out(now, effects));
    }
    cluster
}

fn founded(cluster: &Cluster) -> bool {
    cluster.events.iter().any(|(node, event)| *node > 0 && matches!(event, Event::Founded))
}

#[test]
fn a_joiner_serves_incomplete_after_the_transfer_time_and_founds_nothing() {
    let mut cluster = silent(1);
    cluster.run(TRANSFER - Duration::from_secs(1));
    assert_eq!(cluster.nodes[1].state(), NodeState::Joining);
    cluster.run(Duration::from_secs(2));
    assert_eq!(cluster.nodes[1].state(), NodeState::Incomplete);
    assert_eq!(cluster.gate(1), Gate::Open);
    cluster.run(TRANSFER * 2);
    assert!(!founded(&cluster));

    cluster.act(1, |node, now, effects| node.searched(now, effects));
    cluster.run(Duration::from_secs(1));
    assert_eq!(cluster.nodes[1].state(), NodeState::Ready, "nobody is silent any more");
}

#[test]
fn two_joiners_do_not_complete_each_other() {
    let mut cluster = silent(2);
    cluster.run(TRANSFER * 2);
    for joiner in [1, 2] {
        assert_eq!(cluster.nodes[joiner].state(), NodeState::Incomplete);
    }
    assert!(!founded(&cluster));
    for joiner in [1, 2] {
        cluster.act(joiner, |node, now, effects| node.searched(now, effects));
    }
    cluster.run(Duration::from_secs(2));
    for joiner in [1, 2] {
        assert_eq!(cluster.nodes[joiner].state(), NodeState::Ready);
    }
}

#[test]
fn without_an_end_of_the_time_it_waits() {
    let mut cluster = Cluster::start(1);
    cluster.add_unsearched(&[], |settings| settings.timing.transfer_timeout = None);
    cluster.act(1, |node, now, effects| node.search_timed_out(now, effects));
    cluster.run(Duration::from_secs(600));
    assert_eq!(cluster.nodes[1].state(), NodeState::Joining);
}

#[test]
fn who_speaks_again_gives_the_state() {
    let mut cluster = silent(1);
    cluster.run(TRANSFER * 2);
    cluster.connect(1, &[0]);
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.nodes[1].state(), NodeState::Ready);
    assert!(cluster.fields(1, key(1)).is_some() && !founded(&cluster));
}
