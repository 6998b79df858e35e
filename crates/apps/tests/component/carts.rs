//! Samples in other languages: a session that a shop in Rust began is carried on by a cart in JavaScript or Python, on
//! another node.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use sessile_apps::component::Limits;

use crate::site::{LIMIT, Pair, Site, Visitor, limited};

async fn put(visitor: &mut Visitor, path: &str, form: &'static str) {
    let request = Request::post(format!("/app/{path}")).body(Body::from(form)).unwrap();
    let reply = visitor.send(request).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
}

/// Shops on one node and goes on, in the other language, on the other.
async fn go_on(name: &str) {
    // Engines of languages begin slowly in a debug build.
    let limits = Limits { cpu_time: LIMIT, request_time: LIMIT, memory: 128 << 20, ..Limits::default() };
    let pair = tokio::time::timeout(Duration::from_secs(600), Pair::with("shop", name, limited(limits)));
    let Some(Pair { one, other, _place }) = pair.await.expect("compiled in time") else { return };
    let mut visitor = Visitor::at(&one);
    put(&mut visitor, "cart", "ware=umbrella").await;
    visitor.move_to(&other);
    assert!(visitor.get("").await.contains("<li>umbrella: 1"));
    put(&mut visitor, "umbrella", "").await;
    put(&mut visitor, "rope", "").await;
    assert!(visitor.get("").await.contains("<li>rope: 1"));
    assert_eq!(visitor.ask("nowhere").await.status, StatusCode::NOT_FOUND);
    shows_both(&mut visitor, &one).await;
}

async fn shows_both(visitor: &mut Visitor, shop: &Site) {
    visitor.move_to(shop);
    let page = visitor.get("").await;
    assert!(page.contains("<td>umbrella<td>2") && page.contains("<td>rope<td>1"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn javascript_goes_on_with_the_session() {
    go_on("cart-js").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_goes_on_with_the_session() {
    go_on("cart-python").await;
}
