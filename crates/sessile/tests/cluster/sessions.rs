//! What a browser may rely on while it goes from node to node.

use std::time::Duration;

use http::StatusCode;
use sessile::config::Mode;

use crate::harness::{Browser, Gate, Town};

const SYNCHRONOUS: [Mode; 3] = [Mode::Pipelined, Mode::Pooled, Mode::Sync];
const ALL: [Mode; 4] = [Mode::Pipelined, Mode::Pooled, Mode::Sync, Mode::Async];

fn in_mode(mode: Mode) -> Town {
    Town::with(move |config| {
        config.sender.mode = mode;
        // None of these tests is about time: nothing is sent again because a machine is busy.
        config.sender.ack_timeout = Duration::from_secs(10);
    })
}

/// Every step is read on the other node in the very next request.
async fn what_one_node_wrote_the_other_reads(mode: Mode) {
    let (a, b) = in_mode(mode).pair().await;
    let mut browser = Browser::default();
    for round in 0..20 {
        let (write, read) = if round % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let reply = browser.get(write, &format!("/set/round/{round}")).await;
        let receipt = reply.receipt.unwrap();
        assert_eq!((receipt.copies, receipt.wanted), (2, 2));
        assert_eq!(browser.ok(read, "/get/round").await, round.to_string());
    }
    assert_eq!(a.cluster.session_count(), 1);
    assert_eq!(b.cluster.session_count(), 1);
    assert_eq!(a.metric("sessile_resends_total"), 0, "nothing had to be sent twice");
}

#[tokio::test]
async fn a_write_is_read_elsewhere_on_one_thread() {
    for mode in SYNCHRONOUS {
        what_one_node_wrote_the_other_reads(mode).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_is_read_elsewhere_on_many_threads() {
    for mode in SYNCHRONOUS {
        what_one_node_wrote_the_other_reads(mode).await;
    }
}

#[tokio::test]
async fn the_cookie_names_the_node_that_serves() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    let first = browser.get(&a, "/set/x/1").await.cookie.unwrap();
    assert!(first.ends_with(".tc01"), "{first}");
    let moved = browser.get(&b, "/get/x").await.cookie.unwrap();
    assert!(moved.ends_with(".tc02"), "{moved}");
    assert_eq!(browser.get(&b, "/get/x").await.cookie, None, "nothing changes any more");
}

#[tokio::test]
async fn the_owner_changes_with_the_first_answer_after_a_move() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    assert_eq!(browser.ok(&a, "/owner").await, "false", "of no session");
    browser.ok(&a, "/set/x/1").await;
    assert_eq!(browser.ok(&a, "/owner").await, "true");
    let elsewhere = browser.clone();
    assert_eq!(browser.ok(&b, "/owner").await, "false", "the cookie still names the other node");
    assert_eq!(browser.ok(&b, "/owner").await, "true", "it took over");
    assert_eq!(elsewhere.clone().ok(&a, "/owner").await, "true", "an old cookie is believed");
    assert_eq!(browser.ok(&a, "/owner").await, "false");
}

#[tokio::test]
async fn a_logout_is_final_everywhere() {
    for mode in ALL {
        a_logout_is_final(mode).await;
    }
}

async fn a_logout_is_final(mode: Mode) {
    let (a, b) = in_mode(mode).pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    browser.ok(&b, "/get/x").await;
    let before = browser.clone();
    assert_eq!(browser.ok(&a, "/logout").await, "true");
    assert_eq!(browser.cookie, None);
    for node in [&b, &a] {
        let mut old = before.clone();
        assert_eq!(old.ok(node, "/get/x").await, "", "no request sees it again");
        assert_eq!(node.cluster.session_count(), 0);
    }
}

#[tokio::test]
async fn a_request_that_was_overtaken_by_a_logout_brings_nothing_back() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    let (mut slow, gate) = (browser.clone(), Gate::default());
    let (reply, ()) = tokio::join!(slow.get_held(&a, "/slow/x", &gate), async {
        gate.entered.notified().await;
        browser.ok(&b, "/logout").await;
        gate.go_on.notify_one();
    });
    assert_eq!(reply.status, StatusCode::OK);
    assert!(reply.receipt.unwrap().ended, "{reply:?}");
    assert_eq!((a.cluster.session_count(), b.cluster.session_count()), (0, 0));
}

#[tokio::test]
async fn a_login_changes_the_id_on_both_nodes() {
    for mode in ALL {
        a_login_changes_the_id(mode).await;
    }
}

async fn a_login_changes_the_id(mode: Mode) {
    let (a, b) = in_mode(mode).pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    let before = browser.clone();
    browser.ok(&b, "/login").await;
    assert_ne!(before.cookie, browser.cookie);
    for node in [&a, &b] {
        assert_eq!(before.clone().ok(node, "/set/x/2").await, "", "what it writes is dropped");
        assert_eq!(browser.clone().ok(node, "/get/x").await, "1");
        assert_eq!(
            before.clone().ok(node, "/get/x").await,
            "1",
            "the old cookie shows what was there before"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn different_attributes_written_at_once_all_survive() {
    for mode in SYNCHRONOUS {
        writes_at_once_all_survive(mode).await;
    }
}

async fn writes_at_once_all_survive(mode: Mode) {
    let (a, b) = in_mode(mode).pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/start/0").await;
    let (a, b) = (std::sync::Arc::new(a), std::sync::Arc::new(b));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (node, mut browser) =
            (std::sync::Arc::clone(if writer % 2 == 0 { &a } else { &b }), browser.clone());
        writers.spawn(async move {
            for round in 0..50 {
                browser.ok(&node, &format!("/set/w{writer}/{round}")).await;
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    for node in [&a, &b] {
        for writer in 0..8 {
            assert_eq!(browser.ok(node, &format!("/get/w{writer}")).await, "49");
        }
    }
    // The first frames on a new connection of the pool may overtake others before the receiver expects it.
    if mode != Mode::Pooled {
        assert_eq!(a.metric("sessile_resends_total"), 0, "frames of many threads kept their order");
        assert_eq!(b.metric("sessile_resends_total"), 0);
    }
}

#[tokio::test]
async fn in_asynchronous_mode_a_commit_settles_at_once() {
    let town = in_mode(Mode::Async);
    let (a, b) = town.pair().await;
    let mut browser = Browser::default();
    let receipt = browser.get(&a, "/set/x/1").await.receipt.unwrap();
    assert!(receipt.unconfirmed_for.is_some(), "{receipt}");
    b.until("the copy", |b| b.cluster.session_count() == 1).await;
    assert_eq!(browser.ok(&b, "/get/x").await, "1");
}

#[tokio::test]
async fn what_is_not_distributable_stays_on_its_node() {
    let (a, b) = Town::with(|config| config.cluster.manager = sessile::config::Manager::Local).pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    assert_eq!(browser.ok(&a, "/get/x").await, "1");
    assert_eq!(browser.clone().ok(&b, "/get/x").await, "");
    assert_eq!((a.sees(), b.sees()), (vec!["tc01".to_owned()], vec!["tc02".to_owned()]));
}
