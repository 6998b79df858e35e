//! Samples in other languages: a session that a shop in Rust began is carried on by a cart in JavaScript or
//! Python, on another node.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use sessile_apps::component::GuestLimits;

use crate::site::{LIMIT, Pair, Site, TestClient, limited};

async fn put(client: &mut TestClient, path: &str, form: &'static str) {
    let request = Request::post(format!("/app/{path}")).body(Body::from(form)).unwrap();
    let reply = client.send(request).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
}

/// Shops on one node and goes on, in the other language, on the other.
async fn go_on(name: &str) {
    // Engines of languages begin slowly in a debug build.
    let limits =
        GuestLimits { cpu_time: LIMIT, request_time: LIMIT, memory: 128 << 20, ..GuestLimits::default() };
    let pair = tokio::time::timeout(Duration::from_secs(600), Pair::with("shop", name, limited(limits)));
    let Some(Pair { one, other, _place }) = pair.await.expect("compiled in time") else { return };
    let mut client = TestClient::at(&one);
    put(&mut client, "cart", "ware=umbrella").await;
    client.move_to(&other);
    assert!(client.get("").await.contains("<li>umbrella: 1"));
    put(&mut client, "umbrella", "").await;
    put(&mut client, "rope", "").await;
    assert!(client.get("").await.contains("<li>rope: 1"));
    assert_eq!(client.ask("nowhere").await.status, StatusCode::NOT_FOUND);
    shows_both(&mut client, &one).await;
}

async fn shows_both(client: &mut TestClient, shop: &Site) {
    client.move_to(shop);
    let page = client.get("").await;
    assert!(page.contains("<td>umbrella<td>2") && page.contains("<td>rope<td>1"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn javascript_continues_the_session() {
    go_on("cart-js").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_continues_the_session() {
    go_on("cart-python").await;
}
