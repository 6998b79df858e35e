//! Errors have the right status and change nothing.

use axum::body::Body;
use http::Request;
use http::header::RETRY_AFTER;
use serde_json::json;

use crate::test_client::TestClient;

#[tokio::test]
async fn wrong_parameters_are_named() {
    let mut client = TestClient::new().await;
    for (query, named) in [
        ("cmd=nap", "add, mutate, remove, invalidate, show"),
        ("cmd=mutate&name=a&v=1", "no attribute `a`"),
        ("cmd=mutate&v=1", "`name`"),
        ("cmd=mutate&name=a", "`v`"),
        ("cmd=mutate&name=a&v=x", "`v`"),
        ("cmd=add&size=1&v=1", "`name`"),
        ("cmd=add&name=a&v=1", "`size`"),
        ("cmd=add&name=a&size=1", "`v`"),
        ("cmd=add&name=a&size=one&v=1", "`size`"),
        ("cmd=add&name=a&size=1&v=-1", "`v`"),
        ("cmd=add&name=a&size=1&v=10000000000000000", "`v`"),
        ("cmd=add&name=a&size=1&v=1&count=0", "`count`"),
        ("cmd=add&name=a&size=1&v=1&full=yes", "`full`"),
        ("cmd=remove", "`name`"),
        ("cmd=show&sum=2", "`sum`"),
    ] {
        let reply = client.post(query).await;
        assert_eq!(reply.status, 400, "{query}");
        assert!(reply.error().contains(named), "{query}: {}", reply.body);
        assert_eq!(reply.headers["x-node"], "tc01");
    }
    let long = format!("cmd=add&name={}&size=1&v=1", "x".repeat(5_000));
    assert_eq!(client.post(&long).await.status, 400);
    assert_eq!(client.cookie, None);
}

#[tokio::test]
async fn an_oversized_value_changes_nothing() {
    let mut client = TestClient::of(|_, app| {
        app.session.max_attribute_bytes = 2_000;
        app.session.max_session_bytes = 5_000;
    })
    .await;
    for query in ["size=2001&v=1", "size=999999999999&v=1", "size=1900&v=1&count=3"] {
        let reply = client.post(&format!("cmd=add&name=a&{query}")).await;
        assert_eq!(reply.status, 413, "{query}: {}", reply.body);
        assert!(!reply.error().is_empty());
    }
    assert_eq!(client.cookie, None, "no session was made");
    client.fields("cmd=add&name=a&size=1900&v=1&count=2").await;
    assert_eq!(client.post("cmd=add&name=a&size=1900&v=2&count=3").await.status, 413);
    assert_eq!(client.fields("cmd=show").await["attrs"], json!({"a0": [1, 1900], "a1": [1, 1900]}));
}

#[tokio::test]
async fn a_full_session_table_is_reported() {
    let mut client = TestClient::of(|config, app| {
        config.session.max_active = 1;
        app.session.max_active = 1;
    })
    .await;
    client.fields("cmd=add&name=a&size=16&v=1").await;
    let reply = client.other().post("cmd=add&name=a&size=16&v=1").await;
    assert_eq!((reply.status.as_u16(), &reply.headers[RETRY_AFTER]), (503, &"1".parse().unwrap()));
    assert!(reply.error().contains("max_active"));
    // Who has a session goes on.
    client.fields("cmd=add&name=a&size=16&v=2").await;
}

#[tokio::test]
async fn other_methods_are_refused_in_json() {
    let mut client = TestClient::new().await;
    let reply = client.send(Request::delete("/clusterapp/session").body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status, 405);
    assert!(!reply.error().is_empty());
}
