//! Nodes with as many requests as they may: others wait, for a bounded time, in a bounded number.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use http::StatusCode;
use sessile_balancer::BackendConfig;

use crate::setup::{Setup, get, sticky, until};

async fn limited(length: u32, wait: Duration) -> Setup {
    Setup::start(&[1], |config| {
        config.nodes[0] = BackendConfig { max_requests: 1, ..config.nodes[0].clone() };
        config.balance.queue.length = length;
        config.balance.queue.wait = wait;
    })
    .await
}

#[tokio::test]
async fn a_request_waits_for_a_place_and_gets_it() {
    let setup = limited(10, Duration::from_secs(20)).await;
    let log = &setup.nodes[0].log;
    let first = setup.send(get("/slow"), "");
    let second = async {
        until(|| log.slow.load(SeqCst) == 1).await;
        setup.send(get("/who"), "").await
    };
    let story = async {
        until(|| setup.monitor.balancer().waiting == 1).await;
        assert_eq!(log.requests(), 1, "the second one waits at the balancer");
        log.go_on.notify_one();
    };
    let (first, second, ()) = tokio::join!(first, second, story);
    assert_eq!((first.status, second.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!((setup.status()[0].most_active, setup.monitor.balancer().waited), (1, 1));
}

#[tokio::test]
async fn the_wait_and_the_number_of_those_who_wait_are_bounded() {
    let setup = limited(1, Duration::from_millis(200)).await;
    let log = &setup.nodes[0].log;
    let first = setup.send(get("/slow"), "");
    let story = async {
        until(|| log.slow.load(SeqCst) == 1).await;
        let waits = setup.send(get("/who"), "");
        let turned_away = async {
            until(|| setup.monitor.balancer().waiting == 1).await;
            setup.send(get("/who"), "").await
        };
        let (waits, turned_away) = tokio::join!(waits, turned_away);
        assert_eq!(
            (waits.status, turned_away.status),
            (StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE)
        );
        assert!(
            waits.detail().contains("tc01: not tried, it has 1 requests, as many as it may"),
            "{}",
            waits.detail()
        );
        assert!(
            turned_away.detail().contains("1 requests wait for a node already"),
            "{}",
            turned_away.detail()
        );
        log.go_on.notify_one();
    };
    let (first, ()) = tokio::join!(first, story);
    assert_eq!(first.status, StatusCode::OK);
    let balancer = setup.monitor.balancer();
    assert_eq!((balancer.wait_timed_out, balancer.turned_away, balancer.waiting), (1, 1, 0));
}

#[tokio::test]
async fn where_the_own_node_is_full_a_session_goes_to_another_one() {
    let setup = Setup::start(&[1, 1], |config| config.nodes[0].max_requests = 1).await;
    let log = &setup.nodes[0].log;
    let first = setup.send(sticky("/slow", "tc01"), "");
    let story = async {
        until(|| log.slow.load(SeqCst) == 1).await;
        assert_eq!(setup.send(sticky("/who", "tc01"), "").await.text, "tc02");
        log.go_on.notify_one();
    };
    tokio::join!(first, story);
}
