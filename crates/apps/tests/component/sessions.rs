//! The session as a guest has it.

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, StatusCode};
use sessile_apps::component::ComponentSettings;

use crate::site::{Site, Visitor, settings};

#[tokio::test]
async fn a_guest_counts_in_the_session() {
    let Some(site) = Site::of(settings()).await else { return };
    let (mut visitor, mut other) = (Visitor::at(&site), Visitor::at(&site));
    assert_eq!(visitor.get("current").await, "there is none");
    assert_eq!(visitor.cookie, None, "asking makes no session");
    let first = visitor.get("count").await;
    assert!(first.starts_with(r#"{"count":1,"new":true,"key":""#), "{first}");
    assert_eq!(visitor.get("current").await, "there is one");
    let second = visitor.get("count").await;
    assert!(second.starts_with(r#"{"count":2,"new":false,"key":""#), "{second}");
    assert_eq!(first.split("key").last(), second.split("key").last());
    assert_eq!(other.count().await, 1);
}

#[tokio::test]
async fn native_code_and_a_guest_share_a_typed_value() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut visitor = Visitor::at(&site);
    assert_eq!(visitor.count().await, 1);
    assert_eq!(visitor.native().await, "2");
    assert_eq!(visitor.count().await, 3);
    assert_eq!(visitor.native().await, "4");
}

#[tokio::test]
async fn bytes_come_back_as_they_were_set() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut visitor = Visitor::at(&site);
    let large = "x".repeat(50_000);
    assert_eq!(visitor.post("put?name=large", large.clone()).await.body, "done");
    assert_eq!(visitor.post("put?name=small", "y").await.body, "done");
    assert_eq!(visitor.get("get?name=large").await, large);
    assert_eq!(visitor.get("names").await, "large\nsmall\n");
    assert_eq!(visitor.ask("get?name=none").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_a_session_cannot_take_is_told() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut visitor = Visitor::at(&site);
    assert_eq!(visitor.post("put?name=", "x").await.body, "bad-name");
    let limit = sessile::Config::default().session.max_attribute_bytes;
    let told = visitor.post("put?name=huge", "x".repeat(limit + 1)).await.body;
    assert_eq!(told, format!("too-large {limit}"));
    assert_eq!(visitor.get("names").await, "");
}

#[tokio::test]
async fn what_a_request_wrote_that_failed_is_not_kept() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut visitor = Visitor::at(&site);
    assert_eq!(visitor.count().await, 1);
    for fatal in ["write-and-trap", "write-and-spin"] {
        let reply = visitor.ask(fatal).await;
        assert!(reply.status.is_server_error(), "{fatal}: {}", reply.status);
        assert!(reply.headers.get(SET_COOKIE).is_none());
    }
    assert_eq!(visitor.count().await, 2);
    let mut stranger = Visitor::at(&site);
    stranger.ask("write-and-trap").await;
    assert_eq!(stranger.cookie, None, "a session that nobody needs");
}

#[tokio::test]
async fn what_is_written_after_the_head_is_late() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut visitor = Visitor::at(&site);
    assert_eq!(visitor.get("late").await, "committed");
    assert_eq!(visitor.get("names").await, "");
}

#[tokio::test]
async fn a_login_changes_the_cookie_and_keeps_the_session() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut visitor = Visitor::at(&site);
    visitor.count().await;
    let mut thief = visitor.again();
    assert_eq!(visitor.get("log-in").await, "done");
    assert_ne!(visitor.cookie, thief.cookie);
    assert_eq!(visitor.count().await, 2);
    assert_eq!(thief.get("current").await, "there is none");
}

#[tokio::test]
async fn a_logout_is_final() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut visitor = Visitor::at(&site);
    visitor.count().await;
    let mut copy = visitor.again();
    assert_eq!(visitor.get("invalidate").await, "done");
    assert_eq!(visitor.cookie, None);
    assert_eq!(copy.get("current").await, "there is none");
    assert_eq!(visitor.get("use-after-invalidate").await, "invalidated");
}

#[tokio::test]
async fn a_guest_neither_sees_nor_sets_the_session_cookie() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut visitor = Visitor::at(&site);
    visitor.count().await;
    let cookie = visitor.cookie.clone().unwrap();
    let request =
        Request::get("/app/headers").header(COOKIE, "lang=en").header("x-forwarded-prefix", "/forged");
    let reply = visitor.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert!(reply.body.contains("cookie: lang=en\n"), "{}", reply.body);
    assert!(!reply.body.contains("sid"), "{}", reply.body);
    assert!(reply.body.contains("x-forwarded-prefix: /app\n") && !reply.body.contains("forged"));
    let set: Vec<_> = reply.headers.get_all(SET_COOKIE).iter().collect();
    assert_eq!(set, ["theme=dark"]);
    assert_eq!(visitor.cookie, Some(cookie));
}

#[tokio::test]
async fn requests_of_one_session_can_be_one_after_another() {
    let Some(site) = Site::of(ComponentSettings { serialize: true, ..settings() }).await else { return };
    let mut visitor = Visitor::at(&site);
    visitor.count().await;
    let running: Vec<_> = (0..6)
        .map(|_| {
            let mut visitor = visitor.again();
            tokio::spawn(async move { visitor.get("slow-count").await })
        })
        .collect();
    for request in running {
        request.await.unwrap();
    }
    assert_eq!(visitor.count().await, 8, "each read what the one before wrote");
}
