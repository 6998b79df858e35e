//! Nodes that die, return, stop in order, or are not ready.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use http::StatusCode;
use sessile_balancer::BackendState;

use crate::setup::{Setup, get, post, sticky, until};

#[tokio::test]
async fn the_next_request_after_a_death_is_answered_elsewhere() {
    let mut setup = Setup::pair_unchecked().await;
    let mut events = setup.monitor.events();
    assert_eq!(setup.send(sticky("/who", "tc02"), "").await.text, "tc02");
    setup.nodes[1].kill().await;
    for id in ["a", "b", "c"] {
        let answer = setup.send(post("/clusterapp/who", id).header("cookie", "sid=x.tc02"), "body").await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "tc01"));
        assert_eq!(setup.nodes[0].log.processed(id), 1);
    }
    let event = events.recv().await.unwrap();
    assert_eq!((event.node.as_str(), event.state), ("tc02", BackendState::Down));
    let status = setup.status();
    assert_eq!((status[1].state, status[1].failed_connects, status[0].retries), (BackendState::Down, 1, 1));
}

#[tokio::test]
async fn a_node_that_returns_gets_its_sessions_again() {
    let mut setup = Setup::pair().await;
    setup.nodes[1].kill().await;
    setup.sees(1, BackendState::Down).await;
    assert_eq!(setup.send(sticky("/who", "tc02"), "").await.text, "tc01");
    setup.nodes[1].restart().await;
    setup.sees(1, BackendState::Up).await;
    assert_eq!(setup.send(sticky("/who", "tc02"), "").await.text, "tc02");
}

#[tokio::test]
async fn a_post_survives_the_connections_that_a_restarted_node_closed() {
    let mut setup = Setup::pair_unchecked().await;
    for round in 0..30 {
        let id = format!("{round}");
        let answer = setup.send(post("/who", &id).header("cookie", "sid=x.tc01"), "body").await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "tc01"));
        assert_eq!(setup.nodes[0].log.processed(&id), 1);
        setup.nodes[0].restart().await;
    }
    assert_eq!(setup.status()[0].failures, 0);
}

#[tokio::test]
async fn a_draining_node_ends_what_runs_and_gets_nothing_new() {
    let setup = Setup::pair().await;
    let slow = setup.send(sticky("/slow", "tc01"), "");
    let others = async {
        let log = &setup.nodes[0].log;
        until(|| log.slow.load(SeqCst) == 1).await;
        log.health.store(503, SeqCst);
        setup.sees(0, BackendState::Draining).await;
        for _ in 0..4 {
            assert_eq!(setup.send(sticky("/who", "tc01"), "").await.text, "tc02");
            assert_eq!(setup.send(get("/who"), "").await.text, "tc02");
        }
        assert_eq!(log.requests(), 1);
        log.go_on.notify_one();
    };
    let (slow, ()) = tokio::join!(slow, others);
    assert_eq!((slow.status, slow.text.as_str()), (StatusCode::OK, "tc01"));
}

#[tokio::test]
async fn a_health_path_that_fails_is_down() {
    let setup = Setup::pair().await;
    setup.nodes[0].log.health.store(500, SeqCst);
    setup.sees(0, BackendState::Down).await;
    setup.nodes[0].log.health.store(200, SeqCst);
    setup.sees(0, BackendState::Up).await;
}

#[tokio::test]
async fn while_no_node_is_ready_a_request_waits_for_one() {
    let mut setup = Setup::pair().await;
    setup.nodes[1].kill().await;
    setup.nodes[0].log.unprocessed.store(true, SeqCst);
    let waiting = setup.send(post("/who", "w").header("cookie", "sid=x.tc02"), "body");
    let ready = async {
        let log = &setup.nodes[0].log;
        until(|| log.requests() >= 3).await;
        log.unprocessed.store(false, SeqCst);
    };
    let (answer, ()) = tokio::join!(waiting, ready);
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "tc01"));
    assert_eq!(setup.nodes[0].log.processed("w"), 1);
}

#[tokio::test]
async fn when_no_node_becomes_ready_the_client_is_told_all() {
    let mut setup = Setup::start(&[1, 1, 1], |config| {
        config.balance.health_interval = Duration::from_millis(100);
    })
    .await;
    setup.nodes[0].kill().await;
    setup.nodes[1].log.unprocessed.store(true, SeqCst);
    setup.nodes[2].log.health.store(503, SeqCst);
    setup.sees(2, BackendState::Draining).await;
    let answer = setup.send(get("/who"), "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.head.headers["retry-after"], "1");
    assert!(!answer.head.headers.contains_key("sessile-unprocessed"));
    for words in ["no node was ready", "tc01: ", "tc02: not ready", "tc03: not tried, it is draining"] {
        assert!(answer.detail().contains(words), "{words:?} in {:?}", answer.detail());
    }
    assert!(!answer.text.contains("tc0"), "a page names no node: {}", answer.text);
}
