//! A caller that waits for a decision of the node chooses its number before, and is answered exactly once.

mod cluster;

use std::time::Duration;

use cluster::{APP, Cluster, SECRET, key};
use sessile_core::{
    Changes, Effect, Effects, Instant, Node, Opening, Proof, QuestionId, Refusal, SessionKey, Ticket,
};

fn settled(cluster: &Cluster, node: usize, ticket: Ticket) -> usize {
    cluster.settled.iter().filter(|(by, settled, _)| (*by, *settled) == (node, ticket)).count()
}

fn answered(cluster: &Cluster, node: usize) -> Vec<QuestionId> {
    let question = |(by, effect): &(usize, Effect)| match effect {
        Effect::Answered { question } if *by == node => Some(*question),
        _ => None,
    };
    cluster.others.iter().filter_map(question).collect()
}

#[test]
fn a_commit_settles_with_the_ticket_that_the_caller_brought() {
    let mut cluster = Cluster::start(2);
    let ticket = cluster.create(0, key(1));
    assert_eq!(settled(&cluster, 0, ticket), 0, "the other one has not confirmed");
    cluster.deliver();
    assert_eq!(settled(&cluster, 0, ticket), 1);
}

#[test]
fn without_a_ticket_nobody_is_told() {
    let mut cluster = Cluster::start(2);
    let changes = Changes::create(APP, SECRET, Duration::from_secs(1800), None);
    cluster.act(0, |node, now, effects| node.commit(key(1), &changes, None, now, effects)).unwrap();
    cluster.act(0, |node, now, effects| node.end(key(1), None, now, effects));
    cluster.deliver();
    assert_eq!(cluster.settled, []);
}

#[test]
fn a_reader_waits_for_the_commit_that_it_may_have_seen_with_a_ticket_of_its_own() {
    let mut cluster = Cluster::start(2);
    let writer = cluster.create(0, key(1));
    let readers = [cluster.ticket(), cluster.ticket()];
    assert!(!cluster.nodes[0].is_settled(key(1)));
    for reader in readers {
        assert!(cluster.nodes[0].await_settled(key(1), reader));
    }
    cluster.deliver();
    for ticket in [writer, readers[0], readers[1]] {
        assert_eq!(settled(&cluster, 0, ticket), 1);
    }
    assert!(cluster.nodes[0].is_settled(key(1)));
    assert!(!cluster.nodes[0].await_settled(key(1), readers[0]), "nothing to wait for, nothing follows");
}

#[test]
fn what_is_here_is_opened_without_a_question_and_everybody_who_asks_is_answered() {
    let mut cluster = Cluster::start(2);
    cluster.create(0, key(1));
    cluster.deliver();
    let proof = Proof::Secret(SECRET);
    let open_at_once = |cluster: &mut Cluster, key| {
        cluster.act(0, |node, now, effects| node.open_at_once(key, proof, now, effects))
    };
    assert!(matches!(open_at_once(&mut cluster, key(1)), Some(Opening::Open(_))));
    assert!(open_at_once(&mut cluster, key(2)).is_none());
    for question in [QuestionId(71), QuestionId(72)] {
        let opening = cluster.act(0, |node, now, effects| node.open(key(2), proof, question, now, effects));
        assert!(matches!(opening, Opening::Asking));
    }
    assert_eq!(answered(&cluster, 0), []);
    cluster.deliver();
    assert_eq!(answered(&cluster, 0), [QuestionId(71), QuestionId(72)]);
}

/// Sessions that may live at once.
const MOST: u64 = 64;
const THREADS: u64 = 4;
/// All threads together try to create far more than may live.
const TRIED_BY_EACH: u64 = 40;
const ROUNDS: u64 = 300;

#[test]
fn threads_that_create_at_once_reach_the_bound_and_never_exceed_it() {
    let node = cluster::alone(|settings| settings.bounds.max_active = MOST);
    for round in 0..ROUNDS {
        let number = |thread, tried| (round * THREADS + thread) * TRIED_BY_EACH + tried;
        let create_some = &|thread| {
            let keys = (0..TRIED_BY_EACH).map(|tried| spread(number(thread, tried)));
            keys.filter(|key| create(&node, *key).is_ok()).collect::<Vec<_>>()
        };
        let created: Vec<SessionKey> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..THREADS).map(|thread| scope.spawn(move || create_some(thread))).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
        });
        let in_tables = node.session_count(Some(APP));
        assert_eq!((created.len() as u64, in_tables, node.session_count(None)), (MOST, MOST, MOST));
        created
            .iter()
            .for_each(|key| node.end(*key, None, Instant::ORIGIN, &mut Effects::new(&mut Vec::new())));
    }
}

fn spread(number: u64) -> SessionKey {
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    SessionKey(((u128::from(spread) << 64) | u128::from(number)).to_le_bytes())
}

fn create(node: &Node, key: SessionKey) -> Result<(), Refusal> {
    let changes = Changes::create(APP, SECRET, Duration::from_secs(1800), None);
    node.commit(key, &changes, None, Instant::ORIGIN, &mut Effects::new(&mut Vec::new()))
}
