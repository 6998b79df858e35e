//! Requests that run at the same time.

use axum::Router;

use crate::harness::{Browser, Node, pair};

/// Two requests of one session, of which each has read it before the other writes.
async fn meet(browser: &Browser, first: (&Router, &str), second: (&Router, &str)) {
    let (mut one, mut other) = (browser.clone(), browser.clone());
    tokio::join!(one.ok(first.0, first.1), other.ok(second.0, second.1));
}

async fn both_survive(one: &Router, other: &Router, readers: [&Router; 2]) {
    let mut browser = Browser::default();
    browser.ok(one, "/set/kept/old").await;
    browser.ok(one, "/set/gone/old").await;
    meet(&browser, (one, "/meet/set/a"), (other, "/meet/set/b")).await;
    meet(&browser, (one, "/meet/remove/gone"), (other, "/meet/set/kept")).await;
    for reader in readers {
        assert_eq!(browser.ok(reader, "/get/a").await, "met");
        assert_eq!(browser.ok(reader, "/get/b").await, "met");
        assert_eq!(browser.ok(reader, "/get/kept").await, "met");
        assert_eq!(browser.ok(reader, "/get/gone").await, "", "nobody wrote it since it was removed");
    }
}

#[tokio::test]
async fn different_entries_written_at_once_on_one_node_both_survive() {
    let (a, b) = pair().await;
    both_survive(&a.app(), &a.app(), [&a.app(), &b.app()]).await;
}

#[tokio::test]
async fn different_entries_written_at_once_on_two_nodes_both_survive() {
    let (a, b) = pair().await;
    both_survive(&a.app(), &b.app(), [&a.app(), &b.app()]).await;
}

/// The purpose of the request layer: without it the stock layer passes whole maps, and the last one wins.
#[tokio::test]
async fn without_the_request_layer_the_last_save_wins() {
    let (a, b) = pair().await;
    let app = |node: &Node| node.app_with(node.manager());
    let (one, other) = (app(&a), app(&b));
    let mut browser = Browser::default();
    browser.ok(&one, "/set/kept/old").await;
    let (mut early, mut late) = (browser.clone(), browser.clone());
    let saved_late = async {
        let mut meets = Browser::default();
        meets.ok(&one, "/meet").await;
        early.ok(&one, "/set/a/early").await;
        meets.ok(&one, "/meet").await;
    };
    tokio::join!(late.ok(&other, "/meet/set/b"), saved_late);
    assert_eq!(browser.ok(&one, "/get/a").await, "", "the late request had not seen it");
    assert_eq!(browser.ok(&one, "/get/b").await, "met");
}
