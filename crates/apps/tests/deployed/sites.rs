//! A site whose applications come and go.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use sessile_apps::site::Site;
use tokio::sync::Notify;
use tower::ServiceExt;

/// An application that answers everything with one word.
fn says(word: &'static str) -> Router {
    Router::new().fallback(async move || word)
}

async fn ask(site: &Site, path: &str) -> (StatusCode, String) {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let response = site.router().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn the_longest_path_has_the_request() {
    let site = Site::default();
    assert!(site.mount("/", says("root")).is_none());
    assert!(site.mount("/shop", says("shop")).is_none());
    assert!(site.mount("/shop/admin", says("admin")).is_none());
    for (path, word) in [
        ("/", "root"),
        ("/shopping", "root"),
        ("/shop", "shop"),
        ("/shop/x", "shop"),
        ("/shop/admin/", "admin"),
    ] {
        assert_eq!(ask(&site, path).await, (StatusCode::OK, word.to_owned()), "{path}");
    }
    assert!(site.unmount("/").is_some());
    let (status, words) = ask(&site, "/elsewhere").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(words.contains("This node has: /shop/, /shop/admin/"), "{words}");
}

#[tokio::test]
async fn a_request_ends_with_the_version_it_began_with() {
    let (site, began, go_on) = (Site::default(), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (telling, waiting) = (Arc::clone(&began), Arc::clone(&go_on));
    let slow = get(async move || {
        telling.notify_one();
        waiting.notified().await;
        "old"
    });
    assert!(site.mount("/shop", Router::new().route("/shop/", slow)).is_none());
    let asking = site.clone();
    let running = tokio::spawn(async move { ask(&asking, "/shop/").await });
    began.notified().await;
    let old = site.mount("/shop", says("new")).expect("the old version");
    assert!(!old.is_over());
    assert_eq!(ask(&site, "/shop/").await.1, "new");
    go_on.notify_one();
    assert_eq!(running.await.unwrap().1, "old");
    assert!(old.is_over());
}
