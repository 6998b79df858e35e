//! axum-login and axum-messages, unchanged, on the store: two nodes in one process, of which one is killed.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[path = "../examples/tower_login.rs"]
#[allow(dead_code, reason = "its `main` is for users")]
mod example;

use axum::body::{Body, to_bytes};
use http::{Method, Request, StatusCode};
use sessile::testing::{Browser, TestCluster};

#[tokio::test]
async fn a_login_and_its_message_survive_the_node_that_made_them() {
    let mut cluster = TestCluster::start(2, example::app).await;
    let mut browser = Browser::new();
    let request = |method: Method, path: &str| {
        let uri = format!("https://shop.example{path}");
        Request::builder().method(method).uri(uri).body(Body::empty()).unwrap()
    };
    let page = |path: &str| request(Method::GET, path);
    assert_eq!(cluster.visit(0, &mut browser, page("/account")).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        cluster.visit(0, &mut browser, request(Method::POST, "/login")).await.status(),
        StatusCode::OK
    );
    assert!(browser.cookie(page("/").uri(), "id").unwrap().ends_with(".tc01"));
    cluster.kill(0);
    assert_eq!(cluster.visit(1, &mut browser, page("/account")).await.status(), StatusCode::OK);
    let shown = cluster.visit(1, &mut browser, page("/messages")).await;
    assert_eq!(to_bytes(shown.into_body(), 1_000).await.unwrap(), "welcome\n");
    let kept = browser.clone();
    cluster.visit(1, &mut browser, request(Method::POST, "/logout")).await;
    let mut thief = kept;
    assert_eq!(cluster.visit(1, &mut thief, page("/account")).await.status(), StatusCode::UNAUTHORIZED);
}
