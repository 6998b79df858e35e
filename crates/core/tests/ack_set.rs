//! An ack set changes which members a response waits for, and nothing else.

mod cluster;

use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, SECRET, key};
use sessile_core::{Absent, AckMembers, AckSet, Candidate, Changes, CommittedSession, Gate, Opening, Secret};

/// Members whose name ends in the digit of the far zone are awaited by nobody; the far one awaits nobody.
#[derive(Debug)]
struct FarIs(char);

impl AckSet for FarIs {
    fn awaited(&self, _: CommittedSession, own: &Candidate, others: &[Candidate]) -> AckMembers {
        let is_far = |node: &Candidate| node.name.ends_with(self.0);
        let near = others.iter().filter(|other| !is_far(other) && !is_far(own));
        AckMembers::Only(near.map(|other| other.incarnation).collect())
    }
}

/// Three nodes, of which the last is far.
fn zones() -> Cluster {
    let mut cluster = Cluster::with(3, |settings| settings.ack_set = Arc::new(FarIs('3')));
    cluster.create(0, key(1));
    cluster.deliver();
    cluster
}

#[test]
fn a_response_waits_for_those_that_are_awaited_only() {
    let mut cluster = zones();
    cluster.cut = vec![2];
    let ticket = cluster.set(0, key(1), "cart", "umbrella");
    assert_eq!(cluster.receipt(0, ticket), None, "one is awaited");
    cluster.deliver();
    let receipt = cluster.receipt(0, ticket).expect("settled though the far one has not got it");
    assert_eq!(receipt.to_string(), "copies=2/2");
    assert_eq!(cluster.get(1, key(1), "cart").as_deref(), Some("umbrella"));
    assert_eq!(cluster.get(2, key(1), "cart"), None);
}

#[test]
fn who_is_not_awaited_gets_every_change_and_what_was_lost_is_sent_again() {
    let mut cluster = zones();
    cluster.cut = vec![2];
    cluster.set(0, key(1), "lost", "1");
    cluster.deliver();
    cluster.cut.clear();
    cluster.set(0, key(1), "cart", "umbrella");
    cluster.run(Duration::from_secs(2));
    assert_eq!(cluster.get(2, key(1), "lost").as_deref(), Some("1"));
    assert_eq!(cluster.fields(0, key(1)), cluster.fields(2, key(1)));
}

#[test]
fn who_awaits_nobody_answers_at_once() {
    let mut cluster = zones();
    let ticket = cluster.set(2, key(1), "cart", "umbrella");
    let receipt = cluster.receipt(2, ticket).expect("settled at once");
    assert_eq!((receipt.copies, receipt.wanted, receipt.unconfirmed_for), (1, 1, None));
    cluster.deliver();
    assert_eq!(cluster.fields(0, key(1)), cluster.fields(2, key(1)));
}

#[test]
fn the_end_of_a_session_waits_for_everybody() {
    let mut cluster = zones();
    cluster.cut = vec![2];
    let end = cluster.end(0, key(1));
    cluster.deliver();
    assert_eq!(cluster.receipt(0, end), None, "the far one does not know");
    cluster.cut.clear();
    cluster.run(Duration::from_secs(2));
    assert_eq!(cluster.receipt(0, end).expect("settled").to_string(), "copies=3/3");
    assert!(matches!(cluster.open(2, key(1)), Opening::Absent(Absent::Ended)));
}

#[test]
fn a_changed_id_waits_for_everybody_and_so_does_what_follows_it() {
    let mut cluster = zones();
    cluster.cut = vec![2];
    let mut login = Changes::new();
    login.change_secret(SECRET, Secret([8; 16]));
    let login = cluster.commit(0, key(1), &login).expect("committed");
    let after = cluster.set(0, key(1), "cart", "umbrella");
    cluster.deliver();
    assert_eq!(cluster.receipt(0, login), None, "the old id still opens the far copy");
    assert_eq!(cluster.receipt(0, after), None, "its response may tell of the new id");
    cluster.cut.clear();
    cluster.run(Duration::from_secs(2));
    assert!(cluster.receipt(0, login).is_some() && cluster.receipt(0, after).is_some());
}

#[test]
fn a_lost_member_is_missed_in_the_receipt() {
    let mut cluster = zones();
    cluster.cut = vec![1];
    cluster.run(Duration::from_secs(6));
    let ticket = cluster.set(0, key(1), "cart", "umbrella");
    cluster.deliver();
    let receipt = cluster.receipt(0, ticket).expect("settled");
    assert_eq!(receipt.to_string(), "copies=1/2 degraded");
}

#[test]
fn a_far_member_that_stands_still_is_given_up_as_any_other() {
    let mut cluster = zones();
    cluster.cut = vec![2];
    cluster.run(Duration::from_millis(2_500));
    assert_eq!(cluster.gate(0), Gate::Stalled, "a logout could not be final without it");
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.gate(0), Gate::Open);
}

#[test]
fn a_joiner_gets_what_a_far_member_lacks() {
    let mut cluster = zones();
    cluster.cut = vec![2];
    cluster.set(0, key(1), "cart", "umbrella");
    cluster.deliver();
    cluster.cut.clear();
    cluster.add_linked_with(&[0, 1, 2]);
    cluster.run(Duration::from_secs(5));
    assert_eq!(cluster.gate(3), Gate::Open);
    assert_eq!(cluster.get(3, key(1), "cart").as_deref(), Some("umbrella"));
}
