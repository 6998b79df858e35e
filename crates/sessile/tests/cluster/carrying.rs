//! Sessions that live in their cookies, between nodes.

use std::sync::Arc;

use axum::body::Body;
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use sessile::config::{Keep, Manager};
use sessile::{Config, IdempotencyLayer, Session, SessionError};
use tower::ServiceExt as _;

use crate::harness::{Browser, Node, Town};
use crate::shelf::Shelf;

fn carried(change: impl Fn(&mut Config) + Send + Sync + 'static) -> Town {
    Town::with(move |config| {
        config.session.keep = Keep::Cookie;
        change(config);
    })
}

#[tokio::test]
async fn any_node_opens_them_and_none_holds_them() {
    for manager in [Manager::Delta, Manager::Full] {
        let town = carried(move |config| config.cluster.manager = manager);
        let (a, b) = town.pair().await;
        let mut browser = Browser::default();
        for (number, node) in [&a, &b, &a, &b].into_iter().enumerate() {
            browser.ok(node, &format!("/set/x{number}/{number}")).await;
        }
        drop(a);
        for number in 0..4 {
            assert_eq!(browser.ok(&b, &format!("/get/x{number}")).await, number.to_string());
        }
        assert_eq!(b.cluster.session_count(), 0);
    }
}

#[tokio::test]
async fn the_whole_cluster_may_go() {
    let town = carried(|_| ());
    let (a, b) = town.pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    drop((a, b));
    let c = town.node("tc03", &[]).await;
    assert_eq!(browser.ok(&c, "/get/x").await, "1");
}

#[tokio::test]
async fn a_logout_on_one_node_ends_a_copy_of_the_cookie_on_every_node_old_and_new() {
    let town = carried(|_| ());
    let (a, b) = town.pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    let copy = browser.clone();
    assert_eq!(browser.ok(&a, "/logout").await, "true");
    assert_eq!(browser.cookie, None);
    let c = town.node("tc03", &[&a, &b]).await;
    for node in [&a, &b, &c] {
        assert_eq!(copy.clone().ok(node, "/get/x").await, "", "{}", node.cluster.name());
    }
    drop((a, b));
    let d = town.node("tc04", &[&c]).await;
    assert_eq!(copy.clone().ok(&d, "/get/x").await, "", "who joins learns it");
}

#[tokio::test]
async fn with_a_store_a_logout_is_remembered_though_all_nodes_were_killed() {
    let (town, shelf) = (carried(|_| ()), Arc::new(Shelf::default()));
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    assert_eq!(shelf.holds(), (0, 0), "the session itself is nowhere");
    let copy = browser.clone();
    browser.ok(&a, "/logout").await;
    assert_eq!(shelf.holds(), (0, 1));
    drop(a);
    let a = town.node_on(&shelf, "tc01", &[]).await;
    assert_eq!(copy.clone().ok(&a, "/get/x").await, "");
}

#[tokio::test]
async fn a_login_on_one_node_ends_the_cookie_from_before_on_the_other() {
    let town = carried(|_| ());
    let (a, b) = town.pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    let before = browser.clone();
    browser.ok(&a, "/login").await;
    assert_eq!(before.clone().ok(&b, "/set/x/2").await, "");
    assert_eq!(before.clone().ok(&b, "/get/x").await, "1", "what was there before");
    assert_eq!(browser.ok(&b, "/get/x").await, "1");
}

#[tokio::test]
async fn a_session_of_another_cluster_or_kind_opens_nothing_and_is_not_adopted() {
    let (town, elsewhere, memory) = (carried(|_| ()), carried(|_| ()), Town::new());
    let (here, there) = (town.node("tc01", &[]).await, elsewhere.node("tc01", &[]).await);
    let usual = memory.node("tc01", &[]).await;
    for stranger in [&there, &usual] {
        let mut browser = Browser::default();
        browser.ok(stranger, "/set/x/1").await;
        let foreign = browser.cookie.clone();
        assert_eq!(browser.ok(&here, "/get/x").await, "");
        browser.ok(&here, "/set/y/2").await;
        assert_ne!(browser.cookie, foreign);
        assert_eq!(browser.ok(&here, "/get/x").await, "");
        let own = Browser { cookie: browser.cookie.clone() };
        assert_eq!(own.clone().ok(stranger, "/get/y").await, "");
    }
}

#[tokio::test]
async fn what_is_too_large_is_an_error() {
    let town = carried(|_| ());
    let a = town.node("tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    let reply = browser.get(&a, "/large/y/5000").await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(!reply.body.contains("4096"), "the size is for the log: {}", reply.body);
    assert_eq!(browser.ok(&a, "/get/x").await, "1");
}

#[tokio::test]
async fn applications_choose_for_themselves() {
    let town = Town::new();
    let (a, b) = town.pair().await;
    let at = |node: &Node, keep, path: &str| {
        let mut app = sessile::config::App::with_session(node.cluster.config().session.clone());
        (app.path, app.session.keep) = (path.to_owned(), keep);
        node.with_layer(node.cluster.app_layer(&app))
    };
    let mut browser = Browser::default();
    browser.ok(&at(&a, Keep::Cookie, "/small"), "/set/x/1").await;
    assert_eq!(browser.clone().ok(&at(&b, Keep::Cookie, "/small"), "/get/x").await, "1");
    assert_eq!(browser.clone().ok(&at(&b, Keep::Cookie, "/other"), "/get/x").await, "");
    assert_eq!(b.cluster.session_count(), 0);
    let mut browser = Browser::default();
    browser.ok(&at(&a, Keep::Memory, "/large"), "/set/x/1").await;
    assert_eq!(b.cluster.session_count(), 1);
}

#[tokio::test]
async fn a_logout_reaches_every_node_though_the_application_is_not_distributable() {
    let (a, b) = Town::new().pair().await;
    let on = |node: &Node| {
        let mut app = sessile::config::App::with_session(node.cluster.config().session.clone());
        (app.distributable, app.session.keep) = (false, Keep::Cookie);
        node.with_layer(node.cluster.app_layer(&app))
    };
    let mut browser = Browser::default();
    browser.ok(&on(&a), "/set/x/1").await;
    let copy = browser.clone();
    browser.ok(&on(&a), "/logout").await;
    assert_eq!(copy.clone().ok(&on(&b), "/get/x").await, "");
}

#[tokio::test]
async fn a_request_with_an_idempotency_key_runs_as_ever() {
    let a = carried(|_| ()).node("tc01", &[]).await;
    let count = async |session: Session| -> Result<String, SessionError> {
        let count = session.get::<u32>("count")?.unwrap_or_default() + 1;
        session.set("count", &count)?;
        Ok(count.to_string())
    };
    let app = axum::Router::new().route("/count", axum::routing::post(count));
    let app = app.layer(IdempotencyLayer::new()).layer(a.cluster.session_layer());
    let mut cookie = String::new();
    for wanted in ["1", "2", "3"] {
        let request = Request::post("/count").header("idempotency-key", "k").header(COOKIE, &cookie);
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        cookie = response.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), wanted);
    }
}

#[tokio::test]
async fn jobs_are_told_that_no_node_has_the_session() {
    let town = carried(|_| ());
    let a = town.node("tc01", &[]).await;
    let key = sessile::SessionKey([1; 16]);
    assert_eq!(a.cluster.session(key).await.unwrap_err(), SessionError::InCookie);
}
