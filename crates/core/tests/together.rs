//! Copies that go together in one frame: to a member that joins, to one that was cut off, and to one of an
//! older version.

mod cluster;

use std::time::Duration;

use cluster::{Cluster, key};
use sessile_core::{Event, Gate, NotTaken, SessionKey};

/// Enough that every shard has several.
const SESSIONS: u8 = 96;
const LONG: Duration = Duration::from_secs(8);

/// A node that holds small sessions, and in one of them more than goes together with others.
fn full() -> Cluster {
    let mut cluster = Cluster::start(1);
    for number in 0..SESSIONS {
        cluster.create(0, key(number));
        cluster.set(0, key(number), "number", &number.to_string());
    }
    cluster.set(0, large(), "cart", &"umbrella ".repeat(1_000));
    cluster
}

fn large() -> SessionKey {
    key(17)
}

fn assert_equal(cluster: &Cluster) {
    for number in 0..SESSIONS {
        assert_eq!(cluster.fields(1, key(number)), cluster.fields(0, key(number)), "session {number}");
        assert_eq!(cluster.get(1, key(number), "number"), Some(number.to_string()));
    }
}

#[test]
fn a_joiner_gets_small_copies_together_and_a_large_one_alone() {
    let mut cluster = full();
    cluster.add_linked_with(&[0]);
    cluster.run(LONG);
    assert_eq!(cluster.gate(1), Gate::Open);
    assert_equal(&cluster);
    // In the shard of the large one some go before it and some after it.
    assert!((1..=17).contains(&cluster.frames(0, "copies")), "{} frames", cluster.frames(0, "copies"));
    assert!((1..=3).contains(&cluster.frames(0, "snapshot")), "{} alone", cluster.frames(0, "snapshot"));
}

#[test]
fn an_older_member_gets_every_copy_alone() {
    let mut cluster = full();
    cluster.older.push(1);
    cluster.add_linked_with(&[0]);
    cluster.run(LONG);
    assert_eq!(cluster.gate(1), Gate::Open);
    assert_equal(&cluster);
    assert!(cluster.frames(0, "snapshot") >= usize::from(SESSIONS), "each went alone in the end");
    let before = cluster.frames(0, "copies");
    cluster.cut.push(1);
    for number in 0..SESSIONS {
        cluster.set(0, key(number), "later", "yes");
    }
    cluster.deliver();
    cluster.cut.clear();
    cluster.run(LONG);
    assert_equal(&cluster);
    assert_eq!(cluster.frames(0, "copies"), before, "it is not tried again");
}

#[test]
fn a_copy_that_is_refused_holds_up_no_other() {
    let mut cluster = full();
    let bulky = key(18);
    cluster.set(0, bulky, "note", &"x".repeat(3_000));
    let no_room_for_it = |settings: &mut sessile_core::Settings| settings.bounds.max_table_bytes = 16 * 3_000;
    cluster.add(&[0], no_room_for_it);
    cluster.run(LONG);
    assert_eq!(cluster.gate(1), Gate::Open);
    let refused = cluster.events.iter().filter_map(|(node, event)| match event {
        Event::NotTaken { key, cause: NotTaken::Full, .. } if *node == 0 => *key,
        _ => None,
    });
    let refused: std::collections::BTreeSet<SessionKey> = refused.collect();
    assert_eq!(refused, [large(), bulky].into());
    for number in (0..SESSIONS).filter(|number| !refused.contains(&key(*number))) {
        assert_eq!(cluster.get(1, key(number), "number"), Some(number.to_string()), "session {number}");
    }
}

#[test]
fn what_was_missed_comes_together_after_a_cut() {
    let mut cluster = Cluster::start(2);
    for number in 0..SESSIONS {
        cluster.create(0, key(number));
    }
    cluster.deliver();
    cluster.cut.push(1);
    for number in 0..SESSIONS {
        cluster.set(0, key(number), "number", &number.to_string());
    }
    cluster.run(Duration::from_secs(10));
    cluster.cut.clear();
    cluster.run(LONG);
    assert_equal(&cluster);
    assert!(cluster.frames(0, "copies") > 0);
}
