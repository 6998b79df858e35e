//! Notices to listeners, on the node that acts and on the others.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod cluster;

use std::time::Duration;

use cluster::{APP, Cluster, SECRET, key};
use sessile_core::{Changes, EndReason, FieldName, Incarnation, Notice, Secret, SessionChange, Value};

fn listened_to(count: u32) -> Cluster {
    let cluster = Cluster::start(count);
    cluster.nodes.iter().for_each(|node| node.listen(true));
    cluster
}

fn told(cluster: &mut Cluster, node: usize) -> Vec<Notice> {
    let (here, elsewhere) =
        std::mem::take(&mut cluster.notices).into_iter().partition(|(index, _)| *index == node);
    cluster.notices = elsewhere;
    let here: Vec<(usize, Notice)> = here;
    here.into_iter().map(|(_, notice)| notice).collect()
}

fn remove(cluster: &mut Cluster, node: usize, name: &str) {
    let mut changes = Changes::new();
    changes.put(FieldName::attribute(name).unwrap(), None);
    cluster.act(node, |node, now, effects| node.commit(key(1), &changes, None, now, effects)).unwrap();
}

fn change(name: &str, change: fn(Box<str>) -> SessionChange) -> SessionChange {
    change(name.into())
}

fn added(name: &str) -> SessionChange {
    change(name, |name| SessionChange::AttributeAdded { name })
}

fn replaced(name: &str) -> SessionChange {
    change(name, |name| SessionChange::AttributeReplaced { name })
}

fn removed(name: &str) -> SessionChange {
    change(name, |name| SessionChange::AttributeRemoved { name })
}

#[test]
fn every_node_is_told_the_same_in_the_same_order() {
    let mut cluster = listened_to(3);
    let mut creation = Changes::create(APP, SECRET, Duration::from_secs(1800), None);
    creation.put(FieldName::attribute("made").unwrap(), Some(Value::raw("with it")));
    cluster.commit(0, key(1), &creation).unwrap();
    cluster.set(0, key(1), "cart", "umbrella");
    cluster.set(0, key(1), "cart", "umbrella");
    remove(&mut cluster, 0, "cart");
    remove(&mut cluster, 0, "never there");
    let mut login = Changes::new();
    login.change_secret(SECRET, Secret([8; 16]));
    login.set_principal(Some("ada"), Some("form"));
    login.set_max_inactive(Duration::from_secs(60));
    cluster.commit(0, key(1), &login).unwrap();
    cluster.end(0, key(1));
    cluster.deliver();
    let here = told(&mut cluster, 0);
    let changes: Vec<_> = here.iter().map(|notice| notice.change.clone()).collect();
    let expected = [
        SessionChange::Created,
        added("made"),
        added("cart"),
        replaced("cart"),
        removed("cart"),
        SessionChange::IdChanged,
        SessionChange::PrincipalChanged,
        SessionChange::MaxInactiveChanged,
        SessionChange::Ended { reason: EndReason::Invalidated },
    ];
    assert_eq!(changes, expected);
    assert!(here.iter().all(|notice| !notice.remote && notice.key == key(1) && notice.app == APP));
    let mut ids: Vec<_> = here.iter().map(|notice| notice.event_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), expected.len(), "each change has its own");
    for node in [1, 2] {
        let there = told(&mut cluster, node);
        assert!(there.iter().all(|notice| notice.remote), "{there:?}");
        let as_here: Vec<_> = there.into_iter().map(|notice| Notice { remote: false, ..notice }).collect();
        assert_eq!(as_here, here, "node {node}");
    }
}

#[test]
fn a_whole_copy_tells_only_what_was_changed() {
    let mut cluster = listened_to(2);
    cluster.create(0, key(1));
    cluster.set(0, key(1), "old", "1");
    cluster.deliver();
    told(&mut cluster, 1);
    let mut changes = Changes::new();
    changes.put(FieldName::attribute("new").unwrap(), Some(Value::raw("2")));
    changes.send_whole();
    cluster.commit(0, key(1), &changes).unwrap();
    cluster.deliver();
    let announced: Vec<_> = told(&mut cluster, 1).into_iter().map(|notice| notice.change).collect();
    assert_eq!(announced, [added("new")]);
}

#[test]
fn what_a_node_gets_to_become_ready_is_not_told() {
    let mut cluster = listened_to(2);
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.add_linked_with(&[0, 1]);
    cluster.nodes[2].listen(true);
    cluster.run(Duration::from_secs(3));
    assert!(cluster.fields(2, key(1)).is_some());
    assert_eq!(told(&mut cluster, 2), []);
    cluster.set(0, key(1), "a", "1");
    cluster.deliver();
    assert_eq!(told(&mut cluster, 2).len(), 1);
}

#[test]
fn nothing_is_told_while_nobody_listens() {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.deliver();
    assert_eq!(cluster.notices, []);
    cluster.nodes[1].listen(true);
    cluster.set(0, key(1), "a", "1");
    cluster.deliver();
    assert_eq!((told(&mut cluster, 0).len(), told(&mut cluster, 1).len()), (0, 1));
    cluster.nodes[1].listen(false);
    cluster.set(0, key(1), "a", "2");
    cluster.deliver();
    assert_eq!(cluster.notices, []);
}

/// Its own listeners may not have heard of the end any more.
#[test]
fn who_learned_of_an_end_tells_it_again_when_the_one_that_made_it_dies() {
    let mut cluster = listened_to(2);
    for number in [1, 2] {
        cluster.create(0, key(number));
    }
    cluster.deliver();
    cluster.end(0, key(1));
    cluster.deliver();
    cluster.run(Duration::from_secs(7));
    cluster.end(0, key(2));
    cluster.deliver();
    let first = told(&mut cluster, 1).pop().unwrap();
    assert!(first.remote && first.key == key(2), "{first:?}");
    cluster.cut = vec![0];
    cluster.act(1, |node, now, effects| node.gone(Incarnation(1), now, effects));
    cluster.run(Duration::from_millis(125));
    assert_eq!(told(&mut cluster, 1), [Notice { remote: false, ..first }], "the fresh one, and by its id");
}
