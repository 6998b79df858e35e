//! The session as a guest has it.

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, StatusCode};
use sessile::config::{App, Session};
use sessile_apps::component::ComponentSettings;

use crate::site::{Site, TestClient, settings};

#[tokio::test]
async fn a_guest_counts_in_the_session() {
    let Some(site) = Site::of(settings()).await else { return };
    let (mut client, mut other) = (TestClient::at(&site), TestClient::at(&site));
    assert_eq!(client.get("current").await, "there is none");
    assert_eq!(client.cookie, None, "asking makes no session");
    let first = client.get("count").await;
    assert!(first.starts_with(r#"{"count":1,"new":true,"key":""#), "{first}");
    assert_eq!(client.get("current").await, "there is one");
    let second = client.get("count").await;
    assert!(second.starts_with(r#"{"count":2,"new":false,"key":""#), "{second}");
    assert_eq!(first.split("key").last(), second.split("key").last());
    assert_eq!(other.count().await, 1);
}

#[tokio::test]
async fn native_code_and_a_guest_share_a_typed_value() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut client = TestClient::at(&site);
    assert_eq!(client.count().await, 1);
    assert_eq!(client.native().await, "2");
    assert_eq!(client.count().await, 3);
    assert_eq!(client.native().await, "4");
}

#[tokio::test]
async fn bytes_round_trip() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut client = TestClient::at(&site);
    let large = "x".repeat(50_000);
    assert_eq!(client.post("put?name=large", large.clone()).await.body, "done");
    assert_eq!(client.post("put?name=small", "y").await.body, "done");
    assert_eq!(client.get("get?name=large").await, large);
    assert_eq!(client.get("names").await, "large\nsmall\n");
    assert_eq!(client.ask("get?name=none").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn session_limits_are_reported_to_the_guest() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut client = TestClient::at(&site);
    assert_eq!(client.post("put?name=", "x").await.body, "bad-name");
    let limit = sessile::Config::default().session.max_attribute_bytes;
    let told = client.post("put?name=huge", "x".repeat(limit + 1)).await.body;
    assert_eq!(told, format!("too-large {limit}"));
    assert_eq!(client.get("names").await, "");
}

#[tokio::test]
async fn changes_of_a_failed_request_are_dropped() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut client = TestClient::at(&site);
    assert_eq!(client.count().await, 1);
    for fatal in ["write-and-trap", "write-and-spin"] {
        let reply = client.ask(fatal).await;
        assert!(reply.status.is_server_error(), "{fatal}: {}", reply.status);
        assert!(reply.headers.get(SET_COOKIE).is_none());
    }
    assert_eq!(client.count().await, 2);
    let mut stranger = TestClient::at(&site);
    stranger.ask("write-and-trap").await;
    assert_eq!(stranger.cookie, None, "a session that nobody needs");
}

#[tokio::test]
async fn writes_after_the_head_are_refused() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut client = TestClient::at(&site);
    assert_eq!(client.get("late").await, "committed");
    assert_eq!(client.get("names").await, "");
}

#[tokio::test]
async fn a_login_changes_the_cookie_and_keeps_the_session() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut client = TestClient::at(&site);
    client.count().await;
    let mut thief = client.again();
    assert_eq!(client.get("log-in").await, "done");
    assert_ne!(client.cookie, thief.cookie);
    assert_eq!(client.count().await, 2);
    assert_eq!(thief.get("current").await, "there is none");
}

#[tokio::test]
async fn a_logout_is_final() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut client = TestClient::at(&site);
    client.count().await;
    let mut copy = client.again();
    assert_eq!(client.get("invalidate").await, "done");
    assert_eq!(client.cookie, None);
    assert_eq!(copy.get("current").await, "there is none");
    assert_eq!(client.get("use-after-invalidate").await, "invalidated");
}

#[tokio::test]
async fn a_guest_neither_sees_nor_sets_the_session_cookie() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut client = TestClient::at(&site);
    client.count().await;
    let cookie = client.cookie.clone().unwrap();
    let request =
        Request::get("/app/headers").header(COOKIE, "lang=en").header("x-forwarded-prefix", "/forged");
    let reply = client.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert!(reply.body.contains("cookie: lang=en\n"), "{}", reply.body);
    assert!(!reply.body.contains("sid"), "{}", reply.body);
    assert!(reply.body.contains("x-forwarded-prefix: /app\n") && !reply.body.contains("forged"));
    let set: Vec<_> = reply.headers.get_all(SET_COOKIE).iter().collect();
    assert_eq!(set, ["theme=dark"]);
    assert_eq!(client.cookie, Some(cookie));
}

#[tokio::test]
async fn a_guest_does_not_see_the_session_cookies_of_other_applications() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut client = TestClient::at(&site);
    let cookies = "shop=1.tc01; lang=en; __Host-shop=2; shop-routes=tc02";
    let mut headers = async || {
        let request = Request::get("/app/headers").header(COOKIE, cookies);
        client.send(request.body(axum::body::Body::empty()).unwrap()).await.body
    };
    assert!(headers().await.contains("shop=1.tc01"), "a cookie of nobody yet");
    let mut other = App::with_session(Session { cookie: "shop".to_owned(), ..Session::default() });
    "/shop".clone_into(&mut other.path);
    site.cluster.app_layer(&other).unwrap();
    let seen = headers().await;
    assert!(seen.contains("cookie: lang=en\n") && !seen.contains("shop"), "{seen}");
}

#[tokio::test]
async fn a_node_may_refuse_principals() {
    let Some(site) = Site::of(ComponentSettings { principals: false, ..settings() }).await else { return };
    let mut client = TestClient::at(&site);
    client.count().await;
    let cookie = client.cookie.clone();
    assert!(client.get("log-in").await.starts_with("unavailable"));
    assert_eq!(client.cookie, cookie, "it did not log in");
}

#[tokio::test]
async fn requests_of_one_session_can_be_serialised() {
    let Some(site) = Site::of(ComponentSettings { serialize: true, ..settings() }).await else { return };
    let mut client = TestClient::at(&site);
    client.count().await;
    let running: Vec<_> = (0..6)
        .map(|_| {
            let mut client = client.again();
            tokio::spawn(async move { client.get("slow-count").await })
        })
        .collect();
    for request in running {
        request.await.unwrap();
    }
    assert_eq!(client.count().await, 8, "each read what the one before wrote");
}
