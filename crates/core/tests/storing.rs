//! Sessions whose content is in a store: swapped out, brought back, revived, ended.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod cluster;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cluster::{Cluster, SECRET, key};
use sessile_core::{
    AppId, Effect, EndReason, Event, Opening, Restored, Saveable, SessionKey, StoredSession, Version,
};

fn saved(cluster: &Cluster, node: usize) -> (Version, Bytes) {
    match cluster.nodes[node].saveable(key(1), cluster.now) {
        Some(Saveable::Live { version, content, .. }) => (version, content),
        other => panic!("not alive: {other:?}"),
    }
}

fn swap_out(cluster: &Cluster, node: usize) -> Bytes {
    let (version, content) = saved(cluster, node);
    assert!(cluster.nodes[node].swap_out(key(1), version));
    assert!(cluster.get(node, key(1), "a").is_none(), "its content is not in memory");
    content
}

fn restore(cluster: &mut Cluster, node: usize, content: &Bytes, stored_for: Duration) -> Restored {
    cluster.act(node, |node, now, effects| node.restore(key(1), content, stored_for, now, effects).unwrap())
}

/// Two nodes with one session that has attribute `a`.
fn with_one_session() -> Cluster {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.set(0, key(1), "a", "1");
    cluster.deliver();
    cluster
}

#[test]
fn a_session_that_was_swapped_out_is_opened_once_it_is_back() {
    let mut cluster = with_one_session();
    let content = swap_out(&cluster, 1);
    assert!(matches!(cluster.open(1, key(1)), Opening::Asking));
    assert_eq!(restore(&mut cluster, 1, &content, Duration::ZERO), Restored::Here);
    assert!(matches!(cluster.open(1, key(1)), Opening::Open(_)));
    assert_eq!(cluster.get(1, key(1), "a").as_deref(), Some("1"));
}

#[test]
fn what_is_used_or_has_changed_is_not_swapped_out() {
    let mut cluster = with_one_session();
    let (version, _) = saved(&cluster, 1);
    cluster.set(0, key(1), "a", "2");
    cluster.deliver();
    assert!(!cluster.nodes[1].swap_out(key(1), version), "it has changed since");
    assert!(matches!(cluster.open(1, key(1)), Opening::Open(_)));
    let (version, _) = saved(&cluster, 1);
    assert!(!cluster.nodes[1].swap_out(key(1), version), "it is open");
}

#[test]
fn a_change_reaches_a_member_whose_copy_is_swapped_out_and_loses_nothing() {
    let mut cluster = with_one_session();
    let content = swap_out(&cluster, 1);
    let ticket = cluster.set(0, key(1), "b", "2");
    cluster.deliver();
    assert_eq!(cluster.receipt(0, ticket).unwrap().copies, 2);
    restore(&mut cluster, 1, &content, Duration::ZERO);
    for name in ["a", "b"] {
        assert!(cluster.get(1, key(1), name).is_some(), "{name}");
    }
    assert_eq!(saved(&cluster, 0).0, saved(&cluster, 1).0);
}

#[test]
fn a_newcomer_gets_what_the_donor_had_swapped_out() {
    let mut cluster = with_one_session();
    let contents = [swap_out(&cluster, 0), swap_out(&cluster, 1)];
    cluster.add_linked_with(&[0, 1]);
    cluster.run(Duration::from_secs(2));
    for (node, content) in contents.iter().enumerate() {
        restore(&mut cluster, node, content, Duration::ZERO);
    }
    cluster.run(Duration::from_secs(5));
    assert_eq!(cluster.get(2, key(1), "a").as_deref(), Some("1"));
}

#[test]
fn the_content_that_a_newcomer_waits_for_is_ordered_a_few_at_a_time() {
    const AT_ONCE: usize = 64;
    let mut cluster = Cluster::start(1);
    let content = |cluster: &Cluster, key| match cluster.nodes[0].saveable(key, cluster.now) {
        Some(Saveable::Live { version, content, .. }) => (version, content),
        other => panic!("not alive: {other:?}"),
    };
    let mut stored = BTreeMap::new();
    for number in 0..3 * AT_ONCE {
        let key = in_one_shard(number);
        cluster.create(0, key);
        let (version, content) = content(&cluster, key);
        assert!(cluster.nodes[0].swap_out(key, version));
        stored.insert(key, content);
    }
    cluster.add_linked_with(&[0]);
    cluster.run(Duration::from_secs(2));
    let mut ordered = Vec::new();
    for came in 0..stored.len() {
        ordered.extend(cluster.others.drain(..).filter_map(|(_, effect)| match effect {
            Effect::Fetch { key } => Some(key),
            _ => None,
        }));
        assert!((1..=AT_ONCE).contains(&(ordered.len() - came)), "{} of {came} came", ordered.len());
        let (key, content) = (ordered[came], &stored[&ordered[came]]);
        cluster
            .act(0, |node, now, effects| node.restore(key, content, Duration::ZERO, now, effects).unwrap());
        cluster.deliver();
    }
    assert_eq!(cluster.nodes[1].session_count(None), stored.len() as u64);
}

#[test]
fn a_session_in_the_store_expires_and_ends_like_any_other() {
    let mut cluster = with_one_session();
    let contents = [swap_out(&cluster, 0), swap_out(&cluster, 1)];
    cluster.run(Duration::from_secs(60 * 60));
    let ended = |event: &Event| matches!(event, Event::Ended { reason: EndReason::Expired, .. });
    assert_eq!(cluster.events.iter().filter(|(_, event)| ended(event)).count(), 2);
    for (node, content) in contents.iter().enumerate() {
        assert_eq!(restore(&mut cluster, node, content, Duration::ZERO), Restored::Ended);
    }
}

#[test]
fn a_lost_content_is_asked_of_the_others() {
    let mut cluster = with_one_session();
    swap_out(&cluster, 1);
    assert!(matches!(cluster.open(1, key(1)), Opening::Asking));
    cluster.act(1, |node, now, effects| node.lost(key(1), now, effects));
    cluster.deliver();
    assert_eq!(cluster.get(1, key(1), "a").as_deref(), Some("1"));
}

#[test]
fn a_session_whose_content_a_store_lost_has_not_ended() {
    let mut cluster = with_one_session();
    cluster.cut = vec![1];
    cluster.run(Duration::from_secs(8));
    swap_out(&cluster, 0);
    cluster.act(0, |node, now, effects| node.lost(key(1), now, effects));
    assert_eq!(
        cluster.nodes[0].glance(key(1), cluster.now),
        None,
        "it is not here, and no end is remembered"
    );
    cluster.cut.clear();
    cluster.run(Duration::from_secs(20));
    for node in 0..2 {
        assert_eq!(cluster.get(node, key(1), "a").as_deref(), Some("1"), "node {node}");
    }
}

#[test]
fn two_whose_store_lost_a_record_do_not_ask_each_other_for_ever() {
    let mut cluster = with_one_session();
    let content = swap_out(&cluster, 0);
    swap_out(&cluster, 1);
    for node in 0..2 {
        assert!(matches!(cluster.open(node, key(1)), Opening::Asking));
    }
    for node in 0..2 {
        cluster.act(node, |node, now, effects| node.lost(key(1), now, effects));
    }
    cluster.run(Duration::from_secs(5));
    cluster.sent.clear();
    cluster.run(Duration::from_secs(60));
    assert_eq!((cluster.frames(0, "ask"), cluster.frames(1, "ask")), (0, 0));
    assert!((0..2).all(|node| cluster.nodes[node].glance(key(1), cluster.now).is_none()), "it is nowhere");
    assert_eq!(restore(&mut cluster, 0, &content, Duration::ZERO), Restored::Here, "and did not end");
}

#[test]
fn a_store_that_does_not_answer_holds_up_no_copy_that_is_in_memory() {
    let (mut cluster, resident) = (Cluster::start(2), in_one_shard(200));
    // So that the other one names what it lacks.
    cluster.create(0, in_one_shard(255));
    cluster.deliver();
    cluster.cut = vec![1];
    cluster.run(Duration::from_secs(8));
    cluster.create(0, resident);
    for number in 1..=70 {
        cluster.create(0, in_one_shard(number));
        let version = cluster.nodes[0].version(in_one_shard(number)).unwrap();
        assert!(cluster.nodes[0].swap_out(in_one_shard(number), version));
    }
    cluster.cut.clear();
    cluster.run(Duration::from_secs(10));
    assert!(cluster.nodes[1].holds(resident));
}

#[test]
fn a_cluster_that_starts_again_revives_a_session_for_everybody() {
    let content = saved(&with_one_session(), 0).1;
    let mut cluster = Cluster::start(2);
    cluster.run(Duration::from_secs(120));
    assert_eq!(restore(&mut cluster, 0, &content, Duration::from_secs(60)), Restored::Here);
    cluster.deliver();
    assert_eq!(cluster.get(1, key(1), "a").as_deref(), Some("1"));
    assert!(cluster.nodes[0].sessions(None, 1, cluster.now)[0].idle >= Duration::from_secs(60));
}

#[test]
fn a_wrong_clock_neither_ends_nor_immortalises_what_is_revived() {
    let content = saved(&with_one_session(), 0).1;
    let mut cluster = Cluster::start(2);
    restore(&mut cluster, 0, &content, Duration::from_secs(10 * 365 * 86_400));
    cluster.run(Duration::from_secs(1));
    assert!(cluster.get(0, key(1), "a").is_some(), "ten years by the clock, and it is still there");
    cluster.run(Duration::from_secs(60 * 60));
    assert!(cluster.get(0, key(1), "a").is_none(), "but not for a whole idle time more");
}

#[test]
fn an_ended_session_is_not_revived_by_an_old_record() {
    let mut cluster = with_one_session();
    let content = saved(&cluster, 0).1;
    cluster.end(1, key(1));
    cluster.deliver();
    assert_eq!(restore(&mut cluster, 0, &content, Duration::ZERO), Restored::Ended);
}

#[test]
fn a_store_that_returns_after_its_end_was_forgotten_brings_nothing_back() {
    let mut cluster = with_one_session();
    let content = saved(&cluster, 0).1;
    cluster.end(1, key(1));
    cluster.deliver();
    cluster.run(Duration::from_secs(2 * 60 * 60));
    for node in 0..2 {
        assert_eq!(cluster.nodes[node].glance(key(1), cluster.now), None, "the tombstone is gone");
        assert_eq!(restore(&mut cluster, node, &content, Duration::ZERO), Restored::Ended);
    }
    cluster.deliver();
    assert!(cluster.get(0, key(1), "a").is_none() && cluster.get(1, key(1), "a").is_none());
}

#[test]
fn the_end_of_a_carried_session_is_remembered_for_as_long_as_it_says_and_reaches_who_joins() {
    let (mut cluster, app) = (Cluster::start(2), AppId::of_path("/"));
    let week = Duration::from_secs(7 * 86_400);
    cluster.act(0, |node, now, effects| node.end_carried(key(1), app, week, None, now, effects));
    cluster.deliver();
    let ended = |cluster: &Cluster, node: usize| {
        cluster.nodes[node]
            .glance(key(1), cluster.now)
            .is_some_and(|glance| glance.ended && glance.app == app)
    };
    assert!(ended(&cluster, 0) && ended(&cluster, 1));
    cluster.add_linked_with(&[0, 1]);
    cluster.deliver();
    cluster.run(Duration::from_secs(60));
    assert!(ended(&cluster, 2), "a newcomer");
    cluster.now = cluster.now.plus(week - Duration::from_secs(3_600));
    cluster.run(Duration::from_secs(10));
    assert!(ended(&cluster, 0), "no birth mark stands in for it");
    cluster.now = cluster.now.plus(Duration::from_secs(3_600));
    cluster.run(Duration::from_secs(10));
    assert!(!ended(&cluster, 0));
}

#[test]
fn bytes_that_are_no_session_are_refused() {
    let mut cluster = with_one_session();
    let content = saved(&cluster, 0).1;
    let other =
        cluster.act(0, |node, now, effects| node.restore(key(2), &content, Duration::ZERO, now, effects));
    assert!(other.is_err(), "another session's bytes");
    for length in 0..content.len() {
        let cut = content.slice(..length);
        cluster.act(0, |node, now, effects| {
            assert!(node.restore(key(1), &cut, Duration::ZERO, now, effects).is_err());
        });
    }
}

#[test]
fn what_only_a_store_knew_reaches_every_member() {
    let mut cluster = with_one_session();
    let old = saved(&cluster, 0).1;
    cluster.set(0, key(1), "b", "2");
    cluster.deliver();
    let newer = saved(&cluster, 0).1;
    let mut cluster = Cluster::start(2);
    assert_eq!(restore(&mut cluster, 0, &old, Duration::ZERO), Restored::Here);
    cluster.deliver();
    assert_eq!(restore(&mut cluster, 1, &newer, Duration::ZERO), Restored::Here);
    cluster.deliver();
    assert_eq!(cluster.get(0, key(1), "b").as_deref(), Some("2"));
}

#[test]
fn merging_makes_a_version_that_is_above_both() {
    let mut cluster = with_one_session();
    let before = saved(&cluster, 0).0;
    cluster.cut = vec![1];
    cluster.set(0, key(1), "a", "2");
    cluster.set(1, key(1), "b", "2");
    let (left, right) = (saved(&cluster, 0).0, saved(&cluster, 1));
    cluster
        .act(0, |node, now, effects| node.restore(key(1), &right.1, Duration::ZERO, now, effects).unwrap());
    let merged = saved(&cluster, 0).0;
    assert!(before < left && left < merged && right.0 < merged);
}

#[test]
fn what_is_swapped_out_counts_against_the_same_bound() {
    let mut cluster = Cluster::with(1, |settings| settings.bounds.max_table_bytes = 32 << 10);
    let mut made = 0_u8;
    let refused = loop {
        let changes = sessile_core::Changes::create(cluster::APP, SECRET, Duration::from_secs(1800), None);
        match cluster.commit(0, key(made), &changes) {
            Ok(_) => {
                let (version, _) = match cluster.nodes[0].saveable(key(made), cluster.now) {
                    Some(Saveable::Live { version, content, .. }) => (version, content),
                    other => panic!("not alive: {other:?}"),
                };
                assert!(cluster.nodes[0].swap_out(key(made), version));
                made += 1;
            }
            Err(refusal) => break refusal,
        }
        assert!(made < u8::MAX, "stubs are not counted");
    };
    assert_eq!(refused, sessile_core::Refusal::TableFull);
    assert!(cluster.nodes[0].table_bytes() <= 32 << 10);
}

#[test]
fn a_store_is_told_what_changes_and_whose_doing_it_was() {
    let mut cluster = Cluster::with(2, |settings| settings.stores = true);
    let mut announced = Vec::new();
    cluster.act(0, |node, now, effects| {
        let changes = sessile_core::Changes::create(cluster::APP, SECRET, Duration::from_secs(1800), None);
        node.commit(key(1), &changes, None, now, effects).unwrap();
    });
    announced.extend(cluster.others.iter().filter_map(|(_, effect)| match effect {
        Effect::Changed { key, here } => Some((*key, *here)),
        _ => None,
    }));
    assert_eq!(announced, [(key(1), true)]);
}

#[test]
fn stored_content_shows_its_attributes_and_nothing_that_opens_the_session() {
    let cluster = with_one_session();
    let (_, content) = saved(&cluster, 1);
    let stored = StoredSession::read(&content).unwrap();
    assert_eq!(stored.key(), key(1));
    assert!(stored.max_inactive().is_some());
    let shown: Vec<_> = stored.attributes().map(|(name, _, value)| (name, value.bytes)).collect();
    assert_eq!(shown, [("a", &b"1"[..])], "the field of the secret is no attribute");
    assert!(StoredSession::read(&content[..content.len() - 1]).is_err());
}

#[test]
fn of_too_many_ends_the_oldest_are_forgotten() {
    const SHARD: usize = 1 << 16;
    let (mut cluster, app) = (Cluster::start(1), AppId::of_path("/"));
    let ended =
        |cluster: &Cluster, number| cluster.nodes[0].glance(in_one_shard(number), cluster.now).is_some();
    for number in 0..=SHARD {
        cluster.now = cluster.now.plus(Duration::from_micros(1));
        cluster.act(0, |node, now, effects| {
            node.end_carried(in_one_shard(number), app, Duration::from_secs(3_600), None, now, effects)
        });
    }
    cluster.run(Duration::from_secs(1));
    let kept = (0..=SHARD).filter(|number| ended(&cluster, *number)).count();
    assert!((SHARD * 15 / 16..=SHARD).contains(&kept), "{kept}");
    assert!(!ended(&cluster, 0) && ended(&cluster, SHARD) && ended(&cluster, SHARD / 8));
}

fn in_one_shard(number: usize) -> SessionKey {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_le_bytes());
    SessionKey(key)
}
