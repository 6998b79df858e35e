//! What applications of tower-sessions rely on. The scenarios are modelled on that project's own integration
//! tests; here each begins on one node and goes on on the other.

use axum::Router;
use time::Duration;
use tower_sessions::Expiry;

use crate::harness::{Browser, Node, pair};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// The application on both nodes, with a session's expiry and the cookie's domain.
async fn apps(max_age: Option<Duration>, domain: Option<&'static str>) -> (Router, Router, Node, Node) {
    let (a, b) = pair().await;
    let app = |node: &Node| {
        let mut manager = node.manager();
        if let Some(max_age) = max_age {
            manager = manager.with_expiry(Expiry::OnInactivity(max_age));
        }
        if let Some(domain) = domain {
            manager = manager.with_domain(domain);
        }
        node.app_with(manager).layer(node.store.request_layer())
    };
    (app(&a), app(&b), a, b)
}

fn is_about(seconds: Option<u64>, expected: u64) -> bool {
    seconds.is_some_and(|seconds| seconds.abs_diff(expected) < 60)
}

#[tokio::test]
async fn who_stores_nothing_gets_no_cookie() {
    let (one, _other, ..) = apps(Some(Duration::HOUR), None).await;
    assert_eq!(Browser::default().get(&one, "/").await.set_cookie(), None);
}

#[tokio::test]
async fn an_invented_id_is_not_taken_over() {
    let (one, _other, ..) = apps(Some(Duration::HOUR), None).await;
    let invented = "id=AAAAAAAAAAAAAAAAAAAAAA";
    let mut browser = Browser::with_cookie(invented);
    browser.ok(&one, "/set/foo/42").await;
    assert!(browser.cookie.is_some_and(|cookie| cookie != invented));
}

#[tokio::test]
async fn a_malformed_id_is_removed() {
    let (one, _other, ..) = apps(Some(Duration::HOUR), None).await;
    let mut browser = Browser::with_cookie("id=malformed");
    browser.ok(&one, "/").await;
    assert_eq!(browser.cookie, None);
}

#[tokio::test]
async fn the_cookie_is_as_the_stock_layer_makes_it() {
    let (one, _other, ..) = apps(Some(Duration::HOUR), None).await;
    let reply = Browser::default().get(&one, "/set/foo/42").await;
    assert!(reply.set_cookie().unwrap().starts_with("id="));
    assert_eq!(reply.cookie_attribute("HttpOnly"), Some(""));
    assert_eq!(reply.cookie_attribute("Secure"), Some(""));
    assert_eq!(reply.cookie_attribute("SameSite"), Some("Strict"));
    assert_eq!(reply.cookie_attribute("Path"), Some("/"));
    assert!(is_about(reply.max_age(), HOUR));
}

#[tokio::test]
async fn without_an_expiry_the_cookie_lives_as_long_as_the_browser() {
    let (one, _other, ..) = apps(None, None).await;
    assert_eq!(Browser::default().get(&one, "/set/foo/42").await.max_age(), None);
}

#[tokio::test]
async fn what_is_stored_is_read_on_the_other_node() {
    let (one, other, ..) = apps(Some(Duration::HOUR), None).await;
    let mut browser = Browser::default();
    assert_eq!(browser.ok(&other, "/get/foo").await, "");
    browser.ok(&one, "/set/foo/42").await;
    assert_eq!(browser.ok(&other, "/get/foo").await, "42");
}

#[tokio::test]
async fn the_last_value_can_be_removed() {
    let (one, other, ..) = apps(Some(Duration::HOUR), None).await;
    let mut browser = Browser::default();
    browser.ok(&one, "/set/foo/42").await;
    browser.ok(&other, "/remove/foo").await;
    assert_eq!(browser.ok(&one, "/get/foo").await, "");
}

#[tokio::test]
async fn a_new_id_opens_the_session_and_the_old_one_nothing() {
    let (one, other, ..) = apps(Some(Duration::HOUR), None).await;
    let mut browser = Browser::default();
    browser.ok(&one, "/set/foo/42").await;
    let mut before = browser.clone();
    browser.ok(&other, "/cycle").await;
    assert_ne!(before.cookie, browser.cookie);
    assert_eq!(browser.ok(&one, "/get/foo").await, "42");
    for app in [&one, &other] {
        assert_eq!(before.clone().ok(app, "/get/foo").await, "");
    }
    assert_eq!(before.ok(&one, "/get/foo").await, "");
}

#[tokio::test]
async fn a_flush_removes_the_cookie() {
    for domain in [None, Some("localhost")] {
        let (one, other, a, _b) = apps(Some(Duration::HOUR), domain).await;
        let mut browser = Browser::default();
        browser.ok(&one, "/set/foo/42").await;
        let reply = browser.get(&other, "/flush").await;
        assert!(reply.set_cookie().unwrap().starts_with("id=;"));
        assert_eq!((reply.max_age(), reply.cookie_attribute("Path")), (Some(0), Some("/")));
        assert_eq!(reply.cookie_attribute("Domain"), domain);
        assert_eq!(a.cluster.session_count(), 0);
    }
}

#[tokio::test]
async fn a_session_can_be_given_another_expiry() {
    let (one, other, a, b) = apps(Some(Duration::HOUR), Some("localhost")).await;
    let mut browser = Browser::default();
    assert!(is_about(browser.get(&one, "/set/foo/42").await.max_age(), HOUR));
    assert!(is_about(browser.get(&other, "/expire/tomorrow").await.max_age(), DAY));
    let key = a.cluster.sessions(None, 1)[0].key;
    let idle = b.layer.sessions().look(key).await.unwrap().max_inactive();
    assert!(is_about(Some(idle.as_secs()), DAY), "{idle:?}");
    assert_eq!(browser.get(&one, "/expire/never").await.max_age(), None);
    assert_eq!(browser.ok(&other, "/get/foo").await, "42");
}

#[tokio::test]
async fn the_kind_of_expiry_can_change() {
    let (one, other, ..) = apps(None, Some("localhost")).await;
    let mut browser = Browser::default();
    assert_eq!(browser.get(&one, "/set/foo/42").await.max_age(), None);
    assert!(is_about(browser.get(&other, "/expire/tomorrow").await.max_age(), DAY));
    browser.get(&one, "/expire/now").await;
    assert_eq!(browser.ok(&other, "/get/foo").await, "", "its time is over");
}
