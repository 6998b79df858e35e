//! Ended sessions stay ended, and a node refuses requests that it must not answer.

use http::StatusCode;
use sessile::config::OnEnded;
use tower_sessions_core::SessionStore as _;

use crate::harness::{Browser, Node, pair, pair_with};

/// A request that reads its session, is overtaken by a logout on the other node, and writes.
async fn overtaken(a: &Node, b: &Node) -> (StatusCode, Browser) {
    let mut browser = Browser::default();
    browser.ok(&a.app(), "/set/x/1").await;
    let (mut slow, before) = (browser.clone(), browser.clone());
    let (a_app, b_app) = (a.app(), b.app());
    let logout = async {
        Browser::default().ok(&a_app, "/meet").await;
        browser.ok(&b_app, "/flush").await;
        Browser::default().ok(&a_app, "/meet").await;
    };
    let (reply, ()) = tokio::join!(slow.get(&a_app, "/meet/set/x"), logout);
    (reply.status, before)
}

#[tokio::test]
async fn a_slow_request_does_not_undo_a_logout() {
    let (a, b) = pair().await;
    let (status, before) = overtaken(&a, &b).await;
    assert_eq!(status, StatusCode::OK, "its changes are dropped");
    for node in [&a, &b] {
        assert_eq!(before.clone().ok(&node.app(), "/get/x").await, "");
        assert_eq!(node.cluster.session_count(), 0);
    }
}

#[tokio::test]
async fn a_slow_request_can_be_told_of_the_logout() {
    let (a, b) = pair_with(|config| config.session.on_ended = OnEnded::Conflict).await;
    let (status, _) = overtaken(&a, &b).await;
    assert_eq!(
        status,
        StatusCode::INTERNAL_SERVER_ERROR,
        "so the stock layer answers what its store refuses"
    );
    assert_eq!((a.cluster.session_count(), b.cluster.session_count()), (0, 0));
}

#[tokio::test]
async fn a_node_that_is_killed_loses_nothing() {
    let (a, b) = pair().await;
    let mut browser = Browser::default();
    browser.ok(&a.app(), "/set/x/1").await;
    drop(a);
    assert_eq!(browser.ok(&b.app(), "/get/x").await, "1");
    browser.ok(&b.app(), "/set/x/2").await;
    assert_eq!(browser.ok(&b.app(), "/get/x").await, "2");
}

#[tokio::test]
async fn a_node_that_left_marks_requests_as_unprocessed() {
    let (a, b) = pair().await;
    let mut browser = Browser::default();
    browser.ok(&a.app(), "/set/x/1").await;
    a.cluster.leave().await;
    let reply = browser.get(&a.app(), "/get/x").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.headers["sessile-unprocessed"], "1");
    assert_eq!(reply.headers["retry-after"], "1");
    assert_eq!(browser.ok(&b.app(), "/get/x").await, "1");
    let id = browser.cookie.unwrap().strip_prefix("id=").unwrap().parse().unwrap();
    assert!(a.store.load(&id).await.is_err(), "nor does its store answer from old memory");
}
