//! What a guest may take, and what its client is told when it takes more. The node goes on.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::header::RETRY_AFTER;
use http::{Request, StatusCode};
use sessile_apps::component::Limits;

use crate::site::{LIMIT, Reply, Site, Visitor, limited, settings};

/// Nothing of what the guest said when it fell is told.
fn says_little(reply: &Reply) {
    assert!(reply.body.len() < 60 && !reply.body.contains("wasm"), "{}", reply.body);
}

#[tokio::test]
async fn an_endless_loop_ends() {
    let cpu_time = Duration::from_millis(100);
    let Some(site) = Site::of(limited(Limits { cpu_time, ..Limits::default() })).await else { return };
    let mut visitor = Visitor::at(&site);
    let reply = visitor.ask("spin").await;
    assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT);
    says_little(&reply);
    assert_eq!(visitor.get("hello").await, "hello");
}

#[tokio::test]
async fn waiting_counts_against_the_request_s_time_alone() {
    let short = Duration::from_millis(200);
    let limits = Limits { request_time: short, ..Limits::default() };
    let Some(site) = Site::of(limited(limits)).await else { return };
    let reply = Visitor::at(&site).ask("slow").await;
    assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT);
    says_little(&reply);
    let limits = Limits { cpu_time: short, ..Limits::default() };
    let Some(site) = Site::of(limited(limits)).await else { return };
    assert_eq!(Visitor::at(&site).get("slow?ms=1000").await, "slept");
}

#[tokio::test]
async fn a_hog_gets_no_more_memory() {
    let limits = Limits { memory: 8 << 20, ..Limits::default() };
    let Some(site) = Site::of(limited(limits)).await else { return };
    let mut visitor = Visitor::at(&site);
    assert_eq!(visitor.get("take?mib=2").await, "taken");
    assert_eq!(visitor.get("take?mib=32").await, "there is no more");
    let reply = visitor.ask("eat").await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    says_little(&reply);
    assert_eq!(visitor.get("hello").await, "hello");
    let Some(site) = Site::of(settings()).await else { return };
    assert_eq!(Visitor::at(&site).get("take?mib=32").await, "taken");
}

#[tokio::test]
async fn a_trap_or_silence_is_one_request_s_end() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut visitor = Visitor::at(&site);
    for fatal in ["trap", "silent"] {
        let reply = visitor.ask(fatal).await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{fatal}");
        says_little(&reply);
    }
    assert_eq!(visitor.get("hello").await, "hello");
}

#[tokio::test]
async fn too_many_wait_and_then_are_told_to_come_back() {
    let limits = Limits { concurrency: 1, queue: 1, ..Limits::default() };
    let Some(site) = Site::of(limited(limits)).await else { return };
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let mut visitor = Visitor::at(&site);
            tokio::spawn(async move { visitor.ask("slow?ms=500").await })
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
    assert_eq!(Visitor::at(&site).get("hello").await, "hello");
}

#[tokio::test]
async fn a_client_that_goes_leaves_its_place() {
    let limits = Limits { concurrency: 1, queue: 0, ..Limits::default() };
    let Some(site) = Site::of(limited(limits)).await else { return };
    let mut goes = Visitor::at(&site);
    let asked = tokio::spawn(async move { goes.ask("slow").await });
    let mut other = Visitor::at(&site);
    let busy = async { while other.ask("hello").await.status == 200 {} };
    tokio::time::timeout(LIMIT, busy).await.expect("the place is taken");
    asked.abort();
    let free = async { while other.ask("hello").await.status != 200 {} };
    tokio::time::timeout(LIMIT, free).await.expect("the place is free");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let limits = Limits { body: 10_000, ..Limits::default() };
    let Some(site) = Site::of(limited(limits)).await else { return };
    let mut visitor = Visitor::at(&site);
    let fits = "x".repeat(10_000);
    assert_eq!(visitor.post("echo", fits.clone()).await.body, fits);
    let declared = visitor.post("echo", "x".repeat(10_001)).await;
    assert_eq!(declared.status, StatusCode::PAYLOAD_TOO_LARGE);
    let pieces = (0..11).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1_000])));
    let streamed = Request::post("/app/echo").body(Body::from_stream(stream::iter(pieces))).unwrap();
    assert_eq!(visitor.send(streamed).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}
