//! The effect of a change on the other nodes, frame by frame.

mod cluster;

use std::time::Duration;

use cluster::{APP, Cluster, SECRET, key};
use sessile_core::{
    Absent, AppId, Changes, Event, FieldName, Gate, Incarnation, Message, Opening, Refusal, SessionKey,
    Settings, Value,
};

#[test]
fn a_change_is_settled_when_every_member_has_it() {
    let mut cluster = Cluster::start(3);
    cluster.create(0, key(1));
    cluster.deliver();
    let ticket = cluster.set(0, key(1), "cart", "umbrella");
    assert_eq!(cluster.receipt(0, ticket), None);
    cluster.deliver();
    let receipt = cluster.receipt(0, ticket).expect("settled");
    assert_eq!((receipt.copies, receipt.wanted), (3, 3));
    for node in 0..3 {
        assert_eq!(cluster.get(node, key(1), "cart").as_deref(), Some("umbrella"));
    }
}

#[test]
fn different_attributes_written_on_two_nodes_at_once_both_survive() {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.set(0, key(1), "a", "left");
    cluster.set(1, key(1), "b", "right");
    cluster.set(0, key(1), "c", "mine");
    cluster.set(1, key(1), "c", "yours");
    cluster.deliver();
    assert_eq!(cluster.fields(0, key(1)), cluster.fields(1, key(1)));
    assert_eq!(cluster.get(0, key(1), "a").as_deref(), Some("left"));
    assert_eq!(cluster.get(0, key(1), "b").as_deref(), Some("right"));
}

#[test]
fn an_end_is_final_though_a_write_was_on_its_way() {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.deliver();
    let late = cluster.set(1, key(1), "a", "late");
    let end = cluster.end(0, key(1));
    cluster.deliver();
    assert!(cluster.receipt(0, end).is_some());
    assert!(cluster.receipt(1, late).expect("settled").ended);
    for node in 0..2 {
        assert!(cluster.fields(node, key(1)).is_none());
        assert!(matches!(cluster.open(node, key(1)), Opening::Absent(Absent::Ended)));
    }
}

#[test]
fn a_silent_member_is_removed_and_its_own_lease_runs_out_first() {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.cut = vec![1];
    let ticket = cluster.set(0, key(1), "a", "1");
    cluster.run(Duration::from_millis(2_250));
    assert_eq!(cluster.gate(1), Gate::Stalled);
    assert_eq!(cluster.receipt(0, ticket), None, "nobody goes on before the drop time");
    cluster.run(Duration::from_secs(2));
    let receipt = cluster.receipt(0, ticket).expect("settled without the member");
    assert!(receipt.is_degraded());
    cluster.cut.clear();
    cluster.run(Duration::from_secs(6));
    assert_eq!((cluster.gate(0), cluster.gate(1)), (Gate::Open, Gate::Open));
    assert_eq!(cluster.get(1, key(1), "a").as_deref(), Some("1"), "repaired after the heal");
}

#[test]
fn an_idle_session_expires_everywhere_once() {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.run(Duration::from_secs(1795));
    assert!(cluster.fields(0, key(1)).is_some() && cluster.fields(1, key(1)).is_some());
    cluster.run(Duration::from_secs(10));
    assert!(cluster.fields(0, key(1)).is_none() && cluster.fields(1, key(1)).is_none());
    let expired: u64 = cluster.nodes.iter().map(|node| node.counters().expired).sum();
    assert_eq!(expired, 1);
}

/// Three nodes alone: one used the session more often, one wrote to it, and it expired on both. The third
/// used it all the time.
#[test]
fn a_copy_outlives_two_expiries_only_with_what_was_dropped_with_either() {
    let mut cluster = Cluster::start(3);
    let changes = Changes::create(APP, SECRET, Duration::from_secs(20), None);
    cluster.commit(0, key(1), &changes).expect("created");
    cluster.deliver();
    cluster.cut = vec![0, 1, 2];
    cluster.run(Duration::from_secs(5));
    (0..5).for_each(|_| use_once(&mut cluster, 1));
    cluster.set(2, key(1), "cart", "umbrella");
    for _ in 0..6 {
        (0..5).for_each(|_| use_once(&mut cluster, 0));
        cluster.run(Duration::from_secs(5));
    }
    let held: Vec<bool> = (0..3).map(|node| cluster.fields(node, key(1)).is_some()).collect();
    assert_eq!(held, [true, false, false]);

    cluster.cut = vec![0];
    cluster.run(Duration::from_secs(6));
    use_once(&mut cluster, 0);
    cluster.cut.clear();
    cluster.run(Duration::from_secs(6));
    for node in 0..3 {
        assert_eq!(cluster.gate(node), Gate::Open);
        assert!(cluster.fields(node, key(1)).is_none(), "node {node} brought it back without the umbrella");
    }
}

fn use_once(cluster: &mut Cluster, node: usize) {
    assert!(matches!(cluster.open(node, key(1)), Opening::Open(_)));
    cluster.act(node, |node, now, _| node.close(key(1), now));
}

#[test]
fn a_crowd_that_expires_at_once_is_asked_about_in_parts() {
    const CROWD: u16 = 1500;
    let mut cluster = Cluster::start(2);
    for number in 1..=CROWD {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&number.to_le_bytes());
        cluster.create(0, SessionKey(bytes));
    }
    cluster.run(Duration::from_millis(1_740_750));
    let (brief, changes) = (SessionKey([0; 16]), Changes::create(APP, SECRET, Duration::from_secs(60), None));
    cluster.commit(0, brief, &changes).expect("created");
    cluster.end(0, brief);
    cluster.run(Duration::from_secs(59));
    assert!(cluster.nodes[0].saveable(brief, cluster.now).is_some(), "its end is remembered");
    for _ in 0..20 {
        cluster.now = cluster.now.plus(Duration::from_millis(125));
        cluster.act(0, |node, now, effects| node.tick(now, effects));
    }
    assert_eq!(cluster.nodes[0].counters().asks, 128, "all are of one shard, and nobody answers");
    assert!(cluster.nodes[0].saveable(brief, cluster.now).is_none(), "ends are forgotten meanwhile");
    cluster.run(Duration::from_secs(6));
    let expired: u64 = cluster.nodes.iter().map(|node| node.counters().expired).sum();
    assert_eq!(expired, u64::from(CROWD));
    assert!(cluster.nodes.iter().all(|node| node.session_count(None) == 0));
}

#[test]
fn a_shorter_idle_time_counts_from_now_on_wherever_it_was_set() {
    let mut cluster = Cluster::start(2);
    // As many as it takes for either node to be the one that ends some of them.
    let keys = || (1..=16).map(key);
    for key in keys() {
        cluster.create(0, key);
    }
    cluster.deliver();
    cluster.run(Duration::from_secs(600));
    for key in keys() {
        let mut changes = Changes::new();
        changes.set_max_inactive(Duration::from_secs(60));
        cluster.commit(0, key, &changes).expect("committed");
    }
    cluster.deliver();
    cluster.run(Duration::from_secs(55));
    assert!(keys().all(|key| cluster.fields(0, key).is_some() && cluster.fields(1, key).is_some()));
    cluster.run(Duration::from_secs(10));
    assert!(keys().all(|key| cluster.fields(0, key).is_none() && cluster.fields(1, key).is_none()));
    let expired: Vec<u64> = cluster.nodes.iter().map(|node| node.counters().expired).collect();
    assert!(expired.iter().all(|count| *count > 0), "{expired:?}: one node ended all of them");
}

#[test]
fn an_old_session_ends_though_it_is_used_and_a_used_one_does_not() {
    for nodes in [1, 2_usize] {
        let mut cluster = Cluster::start(nodes as u32);
        let idle = Duration::from_secs(60);
        for (number, max_age) in [(1, None), (2, Some(3 * idle))] {
            let changes = Changes::create(APP, SECRET, idle, max_age);
            cluster.commit(0, key(number), &changes).expect("created");
        }
        cluster.deliver();
        for round in 0..5 {
            for key in [key(1), key(2)] {
                let used_on = round % nodes;
                assert!(matches!(cluster.open(used_on, key), Opening::Open(_)));
                cluster.act(used_on, |node, now, _| node.close(key, now));
            }
            cluster.run(Duration::from_secs(35));
        }
        let holds = |cluster: &Cluster, number| {
            (0..nodes).map(|node| cluster.fields(node, key(number)).is_some()).collect()
        };
        let (everywhere, nowhere): (Vec<bool>, Vec<bool>) = (vec![true; nodes], vec![false; nodes]);
        assert_eq!((holds(&cluster, 1), holds(&cluster, 2)), (everywhere.clone(), everywhere.clone()));
        cluster.run(Duration::from_secs(10));
        assert_eq!((holds(&cluster, 1), holds(&cluster, 2)), (everywhere, nowhere));
    }
}

#[test]
fn ten_nodes_that_start_at_once_see_each_other_within_five_seconds() {
    // `start` gives them three seconds of virtual time.
    let cluster = Cluster::start(10);
    for node in &cluster.nodes {
        assert_eq!(node.members(cluster.now).len(), 10);
    }
}

#[test]
fn a_whole_copy_keeps_what_another_node_wrote_meanwhile() {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.set(0, key(1), "a", "old");
    cluster.deliver();
    cluster.set(1, key(1), "a", "new");
    let mut changes = Changes::new();
    changes.put(FieldName::attribute("b").unwrap(), Some(Value::raw("mine")));
    changes.send_whole();
    cluster.commit(0, key(1), &changes).unwrap();
    cluster.deliver();
    assert_eq!(cluster.get(0, key(1), "a").as_deref(), Some("new"), "sent again with the timestamp it has");
    assert_eq!(cluster.fields(0, key(1)), cluster.fields(1, key(1)));
}

#[test]
fn a_session_is_sent_again_without_a_write_and_stays_the_same_copy() {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.set(0, key(1), "a", "one");
    cluster.deliver();
    cluster.set(1, key(1), "a", "theirs");
    let before = cluster.fields(0, key(1));
    let mut again = Changes::new();
    again.send_whole();
    let ticket = cluster.commit(0, key(1), &again).unwrap();
    assert_eq!(cluster.receipt(0, ticket), None, "it waits for the members like any commit");
    assert_eq!(cluster.fields(0, key(1)), before, "no field has a new timestamp");
    cluster.deliver();
    let receipt = cluster.receipt(0, ticket).expect("settled");
    assert_eq!((receipt.copies, receipt.wanted), (2, 2));
    assert_eq!(cluster.get(0, key(1), "a").as_deref(), Some("theirs"), "nothing was written over");
    assert_eq!(cluster.fields(0, key(1)), cluster.fields(1, key(1)));
    let clock = |node: usize, cluster: &Cluster| cluster.fields(node, key(1)).unwrap().highest_counter();
    let (writes, expected) = (cluster.set(0, key(1), "b", "next"), clock(1, &cluster) + 1);
    cluster.deliver();
    assert!(cluster.receipt(0, writes).is_some());
    assert_eq!(clock(1, &cluster), expected, "the counter did not move by what was only sent");
}

#[test]
fn a_session_that_ended_is_not_sent_again() {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.end(1, key(1));
    let mut again = Changes::new();
    again.send_whole();
    let late = cluster.commit(0, key(1), &again).unwrap();
    cluster.deliver();
    assert!(cluster.receipt(0, late).expect("settled").ended);
    assert!((0..2).all(|node| cluster.fields(node, key(1)).is_none()));
    let refused = cluster.commit(0, key(1), &again);
    assert_eq!(refused, Err(Refusal::Ended));
}

#[test]
fn a_write_that_changes_nothing_can_be_left_out() {
    let mut cluster = Cluster::start(1);
    cluster.create(0, key(1));
    cluster.set(0, key(1), "a", "one");
    let opened = cluster.fields(0, key(1)).unwrap();
    let mut changes = Changes::new();
    for (name, value) in [("a", Some("one")), ("b", None), ("c", Some("new"))] {
        changes.put(FieldName::attribute(name).unwrap(), value.map(Value::raw));
    }
    changes.keep_changed(&opened);
    let left: Vec<_> = changes.writes().map(|(name, _)| name.as_str().to_owned()).collect();
    assert_eq!(left, ["c"]);
}

#[test]
fn a_message_of_the_application_is_no_matter_of_the_core() {
    let mut cluster = Cluster::start(2);
    let frame = Message { number: 1, topic: "cache", content: b"drop" }.to_frame();
    let taken = cluster.act(1, |node, now, effects| node.received(Incarnation(1), &frame, now, effects));
    assert!(taken.is_ok(), "as for a version that does not know it");
    assert_eq!(cluster.nodes[1].counters().frames_skipped, 1);
}

#[test]
fn a_joiner_says_whom_it_cannot_reach() {
    let mut cluster = Cluster::start(2);
    cluster.add_linked_with(&[0]);
    cluster.run(Duration::from_secs(8));
    assert_ne!(cluster.gate(2), Gate::Open, "it waits to be included by all");
    let announced = cluster.events.iter().filter(|(node, _)| *node == 2);
    let announced: Vec<&Event> =
        announced.map(|(_, event)| event).filter(|event| is_unreachable(event)).collect();
    assert_eq!(announced, [&Event::Unreachable { incarnations: vec![Incarnation(2)] }], "once");
}

fn is_unreachable(event: &Event) -> bool {
    matches!(event, Event::Unreachable { .. })
}

#[test]
fn members_that_compare_again_repair_what_differs_and_count_it() {
    let mut cluster = Cluster::start(2);
    for number in 1..=3 {
        cluster.create(0, key(number));
    }
    cluster.deliver();
    let compare = |cluster: &mut Cluster| {
        let members = cluster.act(1, |node, now, effects| node.compare_again(now, effects));
        assert_eq!((members, cluster.nodes[1].comparing()), (vec![Incarnation(1)], vec![Incarnation(1)]));
        // Copies that follow a lost frame wait a little for it.
        cluster.run(Duration::from_millis(500));
        assert_eq!(cluster.nodes[1].comparing(), []);
        cluster.nodes[1].counters().repaired
    };
    let before = cluster.nodes[1].counters().repaired;
    assert_eq!(compare(&mut cluster) - before, 0, "all is well");

    // What is on its way when the wire breaks is lost; nobody has noticed yet.
    cluster.cut = vec![1];
    cluster.set(0, key(1), "cart", "umbrella");
    cluster.create(0, key(4));
    cluster.deliver();
    cluster.cut.clear();
    assert_eq!(compare(&mut cluster) - before, 2, "one differs, one is lacking");
    assert_eq!(cluster.get(1, key(1), "cart").as_deref(), Some("umbrella"));
    assert_eq!(cluster.fields(0, key(4)), cluster.fields(1, key(4)));
    assert_eq!(compare(&mut cluster) - before, 2);
}

#[test]
fn two_that_have_just_become_ready_and_do_not_know_it_of_each_other_compare_after_a_death() {
    let mut cluster = Cluster::start(1);
    cluster.lost = vec![(1, 2, "heartbeat"), (2, 1, "heartbeat")];
    cluster.add_linked_with(&[0]);
    cluster.add_linked_with(&[0, 1]);
    cluster.run(Duration::from_secs(1));
    let ready = |node| cluster.events.contains(&(node, Event::BecameReady { complete: true }));
    assert!(ready(1) && ready(2));
    assert_eq!([cluster.nodes[1].comparing(), cluster.nodes[2].comparing()], [[], []]);
    cluster.create(0, key(1));
    cluster.cut = vec![2];
    cluster.deliver();
    cluster.cut = vec![0];
    for node in [1, 2] {
        cluster.act(node, |node, now, effects| node.gone(Incarnation(1), now, effects));
    }
    cluster.lost.clear();
    assert!(cluster.fields(2, key(1)).is_none(), "one of them alone was told");
    cluster.run(Duration::from_secs(2));
    assert!(cluster.fields(2, key(1)).is_some());
}

#[test]
fn a_node_that_returns_is_ready_when_all_have_what_it_brings() {
    for kinds in [["snapshot", "copies"], ["end", "end"]] {
        let mut cluster = Cluster::start(3);
        let keys = [key(1), key(2)];
        cluster.create(0, keys[1]);
        cluster.run(Duration::from_secs(1));
        cluster.cut = vec![0];
        cluster.run(Duration::from_secs(8));
        cluster.create(0, keys[0]);
        cluster.end(0, keys[1]);
        cluster.cut.clear();
        cluster.lost = kinds.map(|kind| (0, 2, kind)).to_vec();
        let knows = |cluster: &Cluster| keys.map(|key| cluster.fields(2, key).is_some()) == [true, false];
        cluster.run(Duration::from_millis(625));
        for _ in 0..16 {
            cluster.run(Duration::from_millis(125));
            assert!(cluster.gate(0) != Gate::Open && !knows(&cluster), "{kinds:?}");
        }
        cluster.lost.clear();
        cluster.run(Duration::from_secs(4));
        assert!(knows(&cluster) && cluster.gate(0) == Gate::Open);
    }
}

#[test]
fn a_member_that_grants_no_more_and_dies_may_have_gone_on_alone() {
    let mut cluster = Cluster::start(3);
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.lost = vec![(0, 1, "ack")];
    cluster.set(1, key(1), "cart", "hat");
    let removed = |cluster: &Cluster| {
        let removes =
            |event: &Event| matches!(event, Event::MemberRemoved { incarnation: Incarnation(1), .. });
        cluster.events.iter().any(|(node, event)| *node == 1 && removes(event))
    };
    for _ in 0..80 {
        if !removed(&cluster) {
            cluster.run(Duration::from_millis(125));
        }
    }
    let ticket = cluster.set(1, key(1), "cart", "umbrella");
    cluster.deliver();
    assert!(cluster.receipt(1, ticket).is_some(), "it waits for node 2 alone");
    assert_ne!(cluster.get(0, key(1), "cart").as_deref(), Some("umbrella"));
    // Node 0 has a lease from node 2 that has not run out.
    cluster.cut = vec![1];
    for node in [0, 2] {
        cluster.act(node, |node, now, effects| node.gone(Incarnation(2), now, effects));
    }
    assert_ne!(
        cluster.gate(0),
        Gate::Open,
        "node 2 knows that it was removed, and would have granted nothing"
    );
    cluster.run(Duration::from_secs(8));
    assert_eq!(cluster.gate(0), Gate::Open);
    assert_eq!(cluster.get(0, key(1), "cart").as_deref(), Some("umbrella"));
}

#[test]
fn what_was_lost_in_a_short_cut_is_sent_again_when_the_first_heartbeat_comes_back() {
    let mut cluster = Cluster::with(2, |settings| settings.timing.ack_timeout = Duration::from_secs(60));
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.cut = vec![1];
    cluster.run(Duration::from_secs(1));
    let ticket = cluster.set(0, key(1), "cart", "umbrella");
    cluster.run(Duration::from_secs(1));
    cluster.cut.clear();
    cluster.run(Duration::from_millis(625));
    assert_eq!(cluster.receipt(0, ticket).expect("settled").copies, 2);
}

#[test]
fn a_joiner_gets_the_ends_that_members_remember() {
    assert!(joiner_remembers_an_end(|_| {}));
}

#[cfg(feature = "planted")]
#[test]
fn a_transfer_without_ends_is_caught() {
    use sessile_core::Plant;
    assert!(!joiner_remembers_an_end(|settings| settings.plant(Plant::TRANSFER_WITHOUT_ENDS)));
}

fn joiner_remembers_an_end(adjust: impl Fn(&mut Settings)) -> bool {
    let mut cluster = Cluster::with(2, adjust);
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.end(0, key(1));
    cluster.deliver();
    cluster.add_linked_with(&[0, 1]);
    cluster.run(Duration::from_secs(5));
    assert_eq!(cluster.gate(2), Gate::Open);
    cluster.nodes[2].saveable(key(1), cluster.now).is_some()
}

#[test]
fn an_end_that_a_node_hears_on_its_way_back_reaches_those_who_took_its_copy() {
    // Only one of the two knows of the end: it may be the one that the node compares with first, or the
    // other.
    for knower in 0..2 {
        let mut cluster = Cluster::start(2);
        cluster.add_linked_with(&[]);
        cluster.run(Duration::from_secs(10));
        cluster.create(2, key(1));
        let (keep, now) = (Duration::from_secs(600), cluster.now);
        cluster.nodes[knower].remember_end(key(1), APP, keep, now);
        cluster.link(2);
        cluster.run(Duration::from_secs(10));
        assert!((0..3).all(|node| cluster.gate(node) == Gate::Open));
        let holders: Vec<_> = (0..3).filter(|node| cluster.fields(*node, key(1)).is_some()).collect();
        assert_eq!(holders, [], "node {knower} knew of the end");
    }
}

#[test]
fn a_comparison_that_the_other_side_forgot_begins_again_though_changes_keep_coming() {
    let mut cluster = Cluster::start(2);
    let keys: Vec<_> = (1..=40).map(key).collect();
    for key in &keys {
        cluster.create(0, *key);
    }
    cluster.deliver();
    cluster.act(1, |node, now, effects| node.compare_again(now, effects));
    // What was asked is lost, as it is when the other node leaves and comes back.
    cluster.cut = vec![0, 1];
    cluster.deliver();
    cluster.cut.clear();
    for round in 0..40 {
        keys.iter().for_each(|key| {
            cluster.set(0, *key, "round", &round.to_string());
        });
        cluster.run(Duration::from_millis(250));
    }
    assert_eq!(cluster.nodes[1].comparing(), [], "ten seconds later");
}

#[test]
fn the_last_writer_of_a_session_is_known() {
    let mut cluster = Cluster::start(2);
    for number in 1..=2 {
        cluster.create(0, key(number));
    }
    cluster.deliver();
    cluster.set(1, key(2), "cart", "umbrella");
    cluster.deliver();
    assert_eq!(cluster.nodes[0].last_written_here(&[APP]), [key(1)]);
    assert_eq!(cluster.nodes[1].last_written_here(&[APP]), [key(2)]);
    assert_eq!(cluster.nodes[1].last_written_here(&[AppId(99)]), []);
}

#[test]
fn a_confirmation_is_timed_from_the_commit() {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.deliver();
    let before = cluster.nodes[0].confirmation_times();
    cluster.set(0, key(1), "cart", "umbrella");
    let wait = Duration::from_millis(7);
    cluster.now = cluster.now.plus(wait);
    cluster.deliver();
    let after = cluster.nodes[0].confirmation_times();
    assert_eq!((after.count(), after.sum()), (before.count() + 1, before.sum() + wait));
    assert_eq!(cluster.nodes[1].confirmation_times().count(), 0, "nothing was sent from there");
}
