//! Which node a client without a route gets, whatever the algorithm; nodes that fail are left out.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use sessile_balancer::{Algorithm, BackendState};

use crate::setup::{Setup, get, post, sticky, until};

#[tokio::test]
async fn least_connections_go_to_the_node_with_the_fewest() {
    let setup = Setup::start(&[1, 1], |config| config.balance.algorithm = Algorithm::LeastConnections).await;
    let slow = setup.send(sticky("/slow", "tc01"), "");
    let others = async {
        let log = &setup.nodes[0].log;
        until(|| log.slow.load(SeqCst) == 1).await;
        for _ in 0..5 {
            assert_eq!(setup.send(get("/who"), "").await.text, "tc02");
        }
        log.go_on.notify_one();
    };
    let (slow, ()) = tokio::join!(slow, others);
    assert_eq!(slow.text, "tc01");
}

#[tokio::test]
async fn by_source_a_client_stays_as_long_as_its_node_is_up() {
    let mut setup = Setup::start(&[1, 1, 1], |config| config.balance.algorithm = Algorithm::Source).await;
    let home = setup.send(get("/who"), "").await.text;
    for _ in 0..5 {
        assert_eq!(setup.send(get("/who"), "").await.text, home);
    }
    let index = setup.nodes.iter().position(|node| node.log.name == home).unwrap();
    setup.nodes[index].kill().await;
    let away = setup.send(get("/who"), "").await.text;
    assert_ne!(away, home);
    setup.nodes[index].restart().await;
    setup.sees(index, BackendState::Up).await;
    assert_eq!(setup.send(get("/who"), "").await.text, home);
}

#[tokio::test]
async fn a_node_that_fails_request_after_request_is_left_out_for_a_time() {
    let setup = Setup::start(&[1, 1], |config| {
        config.balance.outlier.failures = 3;
        config.balance.outlier.time = Duration::from_millis(300);
    })
    .await;
    for _ in 0..2 {
        assert_eq!(setup.send(sticky("/fails", "tc01"), "").await.status, StatusCode::BAD_GATEWAY);
    }
    setup.send(sticky("/who", "tc01"), "").await;
    assert_eq!(setup.status()[0].state, BackendState::Up, "an answer ends the row");
    for _ in 0..3 {
        setup.send(sticky("/fails", "tc01"), "").await;
    }
    setup.sees(0, BackendState::Ejected).await;
    assert_eq!(setup.send(sticky("/who", "tc01"), "").await.text, "tc02");
    // The last one is never left out.
    for _ in 0..6 {
        setup.send(sticky("/fails", "tc02"), "").await;
    }
    assert_eq!(setup.status()[1].state, BackendState::Up);
    setup.sees(0, BackendState::Up).await;
    assert_eq!(setup.send(sticky("/who", "tc01"), "").await.text, "tc01");
    assert_eq!((setup.status()[0].ejections, setup.status()[1].ejections), (1, 0));
}

#[tokio::test]
async fn a_node_that_returns_gets_its_share_slowly() {
    let mut setup =
        Setup::start(&[1, 1], |config| config.balance.slow_start = Duration::from_secs(3_600)).await;
    let served = async |setup: &Setup| {
        let mut count = 0;
        for _ in 0..20 {
            count += usize::from(setup.send(get("/who"), "").await.text == "tc01");
        }
        count
    };
    assert_eq!(served(&setup).await, 10, "the first time it is at full strength at once");
    setup.nodes[0].kill().await;
    setup.sees(0, BackendState::Down).await;
    setup.nodes[0].restart().await;
    setup.sees(0, BackendState::Up).await;
    assert!(served(&setup).await <= 1);
    assert_eq!(setup.send(sticky("/who", "tc01"), "").await.text, "tc01", "its sessions come at once");
}

#[tokio::test]
async fn when_a_node_goes_down_what_it_did_not_answer_and_may_be_repeated_goes_elsewhere_at_once() {
    let setup = Setup::pair().await;
    let hung = &setup.nodes[0].log;
    let waiting = join_all([
        setup.send(sticky("/slow", "tc01").header("x-id", "a"), ""),
        setup.send(sticky("/slow", "tc01").header("x-id", "b"), ""),
    ]);
    let unsafe_one = setup.send(post("/slow", "c").header("cookie", "sid=x.tc01"), "body");
    let story = async {
        until(|| hung.slow.load(SeqCst) == 3).await;
        hung.hangs.store(true, SeqCst);
        setup.sees(0, BackendState::Down).await;
        // The other node answers the two that change nothing; the one that may have changed something still
        // waits.
        let other = &setup.nodes[1].log;
        until(|| other.slow.load(SeqCst) == 2).await;
        other.go_on.notify_one();
        until(|| setup.status()[1].active == 1).await;
        other.go_on.notify_one();
    };
    let answered = async { tokio::join!(waiting, story).0 };
    let released = async {
        let answers = answered.await;
        for _ in 0..3 {
            hung.go_on.notify_one();
            hung.go_on.notify_waiters();
        }
        answers
    };
    let (answers, unsafe_one) = tokio::join!(released, unsafe_one);
    for answer in answers {
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "tc02"));
    }
    assert_eq!((unsafe_one.status, unsafe_one.text.as_str()), (StatusCode::OK, "tc01"));
    assert_eq!((setup.nodes[1].log.processed("c"), hung.processed("c")), (0, 1));
}

#[tokio::test]
async fn a_draining_node_is_told_that_nothing_new_comes_and_what_still_runs() {
    let setup = Setup::pair().await;
    let log = &setup.nodes[0].log;
    let slow = setup.send(sticky("/slow", "tc01"), "");
    let story = async {
        until(|| log.slow.load(SeqCst) == 1).await;
        assert!(log.drain_acknowledged.lock().is_empty());
        log.health.store(503, SeqCst);
        until(|| log.drain_acknowledged.lock().last().is_some_and(|last| last == "1")).await;
        let before = log.requests();
        setup.send(sticky("/who", "tc01"), "").await;
        assert_eq!(log.requests(), before, "what was said is kept");
        log.go_on.notify_one();
    };
    let (slow, ()) = tokio::join!(slow, story);
    assert_eq!(slow.text, "tc01");
    until(|| log.drain_acknowledged.lock().last().is_some_and(|last| last == "0")).await;
    log.health.store(200, SeqCst);
    setup.sees(0, BackendState::Up).await;
}
