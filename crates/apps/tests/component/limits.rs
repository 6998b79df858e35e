//! Resource limits of guests, and responses to requests over a limit. The node keeps running.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::header::RETRY_AFTER;
use http::{Request, StatusCode};
use sessile_apps::component::GuestLimits;

use crate::site::{LIMIT, Site, TestClient, TestResponse, limited, settings};

/// Nothing of what the guest said when it fell is told.
fn says_little(reply: &TestResponse) {
    assert!(reply.body.len() < 60 && !reply.body.contains("wasm"), "{}", reply.body);
}

#[tokio::test]
async fn an_endless_loop_ends() {
    let cpu_time = Duration::from_millis(100);
    let Some(site) = Site::of(limited(GuestLimits { cpu_time, ..GuestLimits::default() })).await else {
        return;
    };
    let mut client = TestClient::at(&site);
    let reply = client.ask("spin").await;
    assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT);
    says_little(&reply);
    assert_eq!(client.get("hello").await, "hello");
}

#[tokio::test]
async fn waiting_counts_against_request_time_only() {
    let short = Duration::from_millis(200);
    let limits = GuestLimits { request_time: short, ..GuestLimits::default() };
    let Some(site) = Site::of(limited(limits)).await else { return };
    let reply = TestClient::at(&site).ask("slow").await;
    assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT);
    says_little(&reply);
    let limits = GuestLimits { cpu_time: short, ..GuestLimits::default() };
    let Some(site) = Site::of(limited(limits)).await else { return };
    assert_eq!(TestClient::at(&site).get("slow?ms=1000").await, "slept");
}

#[tokio::test]
async fn allocation_beyond_the_limit_fails() {
    let limits = GuestLimits { memory: 8 << 20, ..GuestLimits::default() };
    let Some(site) = Site::of(limited(limits)).await else { return };
    let mut client = TestClient::at(&site);
    assert_eq!(client.get("take?mib=2").await, "taken");
    assert_eq!(client.get("take?mib=32").await, "there is no more");
    let reply = client.ask("eat").await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    says_little(&reply);
    assert_eq!(client.get("hello").await, "hello");
    let Some(site) = Site::of(settings()).await else { return };
    assert_eq!(TestClient::at(&site).get("take?mib=32").await, "taken");
}

#[tokio::test]
async fn a_trap_or_missing_response_fails_one_request() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut client = TestClient::at(&site);
    for fatal in ["trap", "silent"] {
        let reply = client.ask(fatal).await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{fatal}");
        says_little(&reply);
    }
    assert_eq!(client.get("hello").await, "hello");
}

#[tokio::test]
async fn requests_beyond_the_queue_get_503() {
    let limits = GuestLimits { concurrency: 1, queue: 1, ..GuestLimits::default() };
    let Some(site) = Site::of(limited(limits)).await else { return };
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let mut client = TestClient::at(&site);
            tokio::spawn(async move { client.ask("slow?ms=500").await })
        })
        .collect();
    let mut statuses = Vec::new();
    for request in asked {
        let reply = request.await.unwrap();
        if reply.status != 200 {
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(reply.headers.contains_key(RETRY_AFTER));
        }
        statuses.push(reply.status);
    }
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!((2..8).contains(&served), "{statuses:?}");
    assert_eq!(TestClient::at(&site).get("hello").await, "hello");
}

#[tokio::test]
async fn a_disconnected_client_frees_its_permit() {
    let limits = GuestLimits { concurrency: 1, queue: 0, ..GuestLimits::default() };
    let Some(site) = Site::of(limited(limits)).await else { return };
    let mut goes = TestClient::at(&site);
    let asked = tokio::spawn(async move { goes.ask("slow").await });
    let mut other = TestClient::at(&site);
    let busy = async { while other.ask("hello").await.status == 200 {} };
    tokio::time::timeout(LIMIT, busy).await.expect("the place is taken");
    asked.abort();
    let free = async { while other.ask("hello").await.status != 200 {} };
    tokio::time::timeout(LIMIT, free).await.expect("the place is free");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let limits = GuestLimits { body: 10_000, ..GuestLimits::default() };
    let Some(site) = Site::of(limited(limits)).await else { return };
    let mut client = TestClient::at(&site);
    let fits = "x".repeat(10_000);
    assert_eq!(client.post("echo", fits.clone()).await.body, fits);
    let declared = client.post("echo", "x".repeat(10_001)).await;
    assert_eq!(declared.status, StatusCode::PAYLOAD_TOO_LARGE);
    let pieces = (0..11).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1_000])));
    let streamed = Request::post("/app/echo").body(Body::from_stream(stream::iter(pieces))).unwrap();
    assert_eq!(client.send(streamed).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}
