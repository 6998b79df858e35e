//! Frames that their link does not take: a full queue, a lost connection, a frame that is too long.

mod cluster;

use std::time::Duration;

use cluster::{Cluster, key};
use sessile_core::{Absent, Incarnation, NotSent, Opening, Proof, QuestionId, SessionKey};

/// One tick of the clusters here.
const TICK: Duration = Duration::from_millis(125);
const LONG: Duration = Duration::from_secs(3);

fn started() -> Cluster {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.deliver();
    cluster.sent.clear();
    cluster
}

#[test]
fn what_a_full_queue_refused_is_sent_at_the_first_tick_that_finds_room() {
    let mut cluster = started();
    let restarts = cluster.nodes[0].counters().restarts;
    cluster.refusing = vec![(0, 1, NotSent::QueueFull)];
    let ticket = cluster.set(0, key(1), "a", "x");
    cluster.deliver();
    assert_eq!(cluster.receipt(0, ticket), None);
    cluster.refusing.clear();
    cluster.run(TICK);
    let receipt = cluster.receipt(0, ticket).expect("settled one tick after there was room");
    assert_eq!((receipt.copies, receipt.wanted), (2, 2));
    assert_eq!(cluster.get(1, key(1), "a").as_deref(), Some("x"));
    assert_eq!(cluster.nodes[0].counters().restarts, restarts, "what was on the way stays on the way");
    assert_eq!(cluster.frames(1, "gap"), 0);
}

#[test]
fn a_queue_that_stays_full_is_tried_with_one_frame_a_tick() {
    let mut cluster = started();
    cluster.refusing = vec![(0, 1, NotSent::QueueFull)];
    for number in 0..100 {
        cluster.set(0, key(1), &format!("a{number}"), "x");
    }
    assert_eq!(cluster.refused, 1, "the others are backlog without a try");
    cluster.refused = 0;
    let ticks = 8;
    cluster.run(TICK * ticks);
    // Beside the session: a heartbeat and an echo for each half second.
    assert!(cluster.refused <= 2 * ticks as usize, "{} tries in {ticks} ticks", cluster.refused);
}

#[test]
fn a_lost_connection_is_no_reason_to_wait_for_the_ack_timeout() {
    let mut cluster = started();
    cluster.refusing = vec![(0, 1, NotSent::NotConnected)];
    let ticket = cluster.set(0, key(1), "a", "x");
    cluster.deliver();
    cluster.refusing.clear();
    cluster.run(TICK);
    assert!(cluster.receipt(0, ticket).is_some());
}

#[test]
fn frames_that_were_lost_with_a_connection_are_sent_again_at_once() {
    let mut cluster = started();
    let ticket = cluster.set(0, key(1), "a", "x");
    cluster.take_wires();
    cluster.act(0, |node, now, effects| node.frames_lost(Incarnation(2), now, effects));
    cluster.deliver();
    assert!(cluster.receipt(0, ticket).is_some());
}

#[test]
fn an_acknowledgement_that_was_refused_follows_with_the_next_tick() {
    let mut cluster = started();
    let ticket = cluster.set(0, key(1), "a", "x");
    cluster.refusing = vec![(1, 0, NotSent::QueueFull)];
    cluster.deliver();
    assert_eq!(cluster.receipt(0, ticket), None);
    cluster.refusing.clear();
    cluster.run(TICK);
    assert!(cluster.receipt(0, ticket).is_some());
    assert_eq!(cluster.nodes[0].counters().restarts, 0);
}

#[test]
fn what_a_refused_acknowledgement_refused_is_not_forgotten() {
    let mut cluster = started();
    // The other one does not know the session: it asks for a copy, in an acknowledgement that is refused.
    let unknown = key(7);
    cluster.lost = vec![(0, 1, "snapshot")];
    cluster.create(0, unknown);
    cluster.deliver();
    cluster.lost.clear();
    cluster.refusing = vec![(1, 0, NotSent::QueueFull)];
    cluster.set(0, unknown, "a", "x");
    cluster.deliver();
    cluster.refusing.clear();
    cluster.run(LONG);
    assert_eq!(cluster.get(1, unknown, "a").as_deref(), Some("x"));
}

#[test]
fn a_question_and_its_answer_that_were_refused_follow_with_the_next_ticks() {
    let mut cluster = started();
    cluster.refusing = vec![(0, 1, NotSent::QueueFull)];
    let (proof, question) = (Proof::Trusted, QuestionId(70));
    let opening = cluster.act(0, |node, now, effects| node.open(key(9), proof, question, now, effects));
    assert!(matches!(opening, Opening::Asking));
    cluster.refusing = vec![(1, 0, NotSent::QueueFull)];
    cluster.run(TICK);
    cluster.refusing.clear();
    cluster.run(TICK);
    let answered = |(_, effect): &(usize, sessile_core::Effect)| matches!(effect, sessile_core::Effect::Answered { question } if question.0 == 70);
    assert!(cluster.others.iter().any(answered), "after two ticks, not after two ack timeouts");
}

#[test]
fn a_session_that_no_frame_can_carry_keeps_nobody_waiting_and_hinders_no_other() {
    let mut cluster = started();
    cluster.refusing = vec![(0, 1, NotSent::TooLong)];
    let ticket = cluster.set(0, key(1), "a", "x");
    cluster.refusing.clear();
    let receipt = cluster.receipt(0, ticket).expect("settled at once");
    assert!(receipt.is_degraded());
    let neighbour = in_one_shard(2)[1];
    let other = cluster.create(0, neighbour);
    cluster.deliver();
    assert!(cluster.receipt(0, other).is_some());
    // A later change goes as a copy: the member could not apply the change alone.
    let later = cluster.set(0, key(1), "b", "y");
    cluster.deliver();
    assert!(!cluster.receipt(0, later).expect("settled").is_degraded());
    assert_eq!(cluster.get(1, key(1), "a").as_deref(), Some("x"));
}

#[test]
fn a_walk_over_ends_stops_at_a_queue_that_is_full_and_goes_on_where_it_stopped() {
    let mut cluster = Cluster::start(1);
    let keys = in_one_shard(200);
    for key in &keys {
        cluster.create(0, *key);
        cluster.end(0, *key);
    }
    cluster.lost = vec![(1, 0, "digest")];
    cluster.add_linked_with(&[0]);
    cluster.run(TICK);
    cluster.lost.clear();
    cluster.refusing = vec![(0, 1, NotSent::QueueFull)];
    let ticks = 3 * (LONG.as_millis() / TICK.as_millis()) as usize;
    cluster.run(LONG);
    // One try a tick for the ends, one for what has no position, and heartbeats; every shard is asked for
    // once.
    assert!(cluster.refused <= 16 + ticks, "{} tries", cluster.refused);
    cluster.refusing.clear();
    cluster.run(LONG * 2);
    for key in &keys {
        assert!(matches!(cluster.open(1, *key), Opening::Absent(Absent::Ended)), "{key:?}");
    }
    assert_eq!(cluster.frames(0, "end"), keys.len(), "each once");
}

/// Keys of one shard, `key(1)` first.
fn in_one_shard(count: usize) -> Vec<SessionKey> {
    let spread = (0..=u16::MAX).map(|number| {
        let mut bytes = key(1).0;
        bytes[..2].copy_from_slice(&number.to_le_bytes());
        SessionKey(bytes)
    });
    let others = spread.filter(|other| other.shard() == key(1).shard() && *other != key(1));
    std::iter::once(key(1)).chain(others).take(count).collect()
}
