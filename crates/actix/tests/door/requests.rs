//! Requests through the stock middleware, one after another and at the same time.

use actix_web::http::StatusCode;

use crate::harness::{Browser, pair};

#[actix_web::test]
async fn a_session_stored_on_one_node_is_read_on_the_other() {
    let (a, b) = pair().await;
    let (one, other) = (a.app().await, b.app().await);
    let mut browser = Browser::default();
    browser.ok(&one, "/set/x/1").await;
    assert!(browser.cookie.as_deref().unwrap().ends_with(".tc01"));
    assert_eq!(browser.ok(&other, "/get/x").await, "1");
    assert!(
        browser.cookie.as_deref().unwrap().ends_with(".tc02"),
        "its life was prolonged, and the cookie set"
    );
    browser.ok(&other, "/set/x/2").await;
    assert_eq!(browser.ok(&one, "/get/x").await, "2");
    assert_eq!((a.cluster.session_count(), b.cluster.session_count()), (1, 1));
}

#[actix_web::test]
async fn concurrent_writes_of_different_entries_both_survive() {
    let (a, b) = pair().await;
    let (one, other) = (a.app().await, b.app().await);
    let mut browser = Browser::default();
    browser.ok(&one, "/set/gone/old").await;
    let (mut first, mut second) = (browser.clone(), browser.clone());
    tokio::join!(first.ok(&one, "/meet/set/a"), second.ok(&one, "/meet/set/b"));
    tokio::join!(first.ok(&one, "/meet/set/c"), second.ok(&other, "/meet/remove/gone"));
    for app in [&one, &other] {
        for name in ["a", "b", "c"] {
            assert_eq!(browser.ok(app, &format!("/get/{name}")).await, "met");
        }
        assert_eq!(browser.ok(app, "/get/gone").await, "", "nobody wrote it since it was removed");
    }
}

#[actix_web::test]
async fn a_slow_request_does_not_undo_a_purge() {
    let (a, b) = pair().await;
    let (one, other) = (a.app().await, b.app().await);
    let mut browser = Browser::default();
    browser.ok(&one, "/set/x/1").await;
    let (mut slow, before) = (browser.clone(), browser.clone());
    let purge = async {
        Browser::default().ok(&one, "/meet").await;
        browser.ok(&other, "/purge").await;
        Browser::default().ok(&one, "/meet").await;
    };
    tokio::join!(slow.ok(&one, "/meet/set/x"), purge);
    for app in [&one, &other] {
        assert_eq!(before.clone().ok(app, "/get/x").await, "");
    }
    assert_eq!((a.cluster.session_count(), b.cluster.session_count()), (0, 0));
}

#[actix_web::test]
async fn only_the_renewed_key_opens_the_session() {
    let (a, b) = pair().await;
    let (one, other) = (a.app().await, b.app().await);
    let mut browser = Browser::default();
    browser.ok(&one, "/set/x/1").await;
    let before = browser.clone();
    browser.ok(&other, "/renew").await;
    assert_eq!(browser.ok(&one, "/get/x").await, "1");
    assert_eq!(before.clone().ok(&one, "/get/x").await, "");
    assert_eq!(before.clone().ok(&other, "/get/x").await, "");
}

#[actix_web::test]
async fn a_node_that_left_marks_requests_as_unprocessed() {
    let (a, b) = pair().await;
    let (one, other) = (a.app().await, b.app().await);
    let mut browser = Browser::default();
    browser.ok(&one, "/set/x/1").await;
    a.cluster.leave().await;
    let reply = browser.get(&one, "/get/x").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.headers.get("sessile-unprocessed").unwrap(), "1");
    assert_eq!(browser.ok(&other, "/get/x").await, "1");
}
