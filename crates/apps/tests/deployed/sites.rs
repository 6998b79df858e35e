//! A site whose applications come and go.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use sessile::config::{App, Manager};
use sessile::{Cluster, Config, Session, SessionError};
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
async fn the_longest_path_wins() {
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
    assert!(
        words.contains("sessile apps NODE") && !words.contains("/shop"),
        "it names no application: {words}"
    );
    let (status, words) = ask(&Site::default(), "/").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(words.contains("This node has none: ") && words.contains("[[app]]"), "{words}");
}

#[tokio::test]
async fn a_request_keeps_its_version() {
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

/// Counts in the session, and says which version of it does.
fn counter(cluster: &Cluster, version: &'static str) -> Router {
    let count = async move |session: Session| {
        let count = session.get::<u64>("count")?.unwrap_or_default() + 1;
        session.set("count", &count)?;
        Ok::<_, SessionError>(format!("{version} {count}"))
    };
    let app = App { path: "/shop".to_owned(), ..App::with_session(cluster.config().session.clone()) };
    Router::new().route("/shop/", get(count)).layer(cluster.app_layer(&app).unwrap())
}

#[tokio::test]
async fn a_session_continues_with_the_next_version() {
    let mut config = Config::default();
    config.cluster.manager = Manager::Local;
    config.cluster.insecure = true;
    let (cluster, site) = (Cluster::join(config).await.unwrap(), Site::default());
    assert!(site.mount("/shop", counter(&cluster, "first")).is_none());
    let ask = async |cookie: Option<&str>| {
        let mut request = Request::builder().uri("/shop/");
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, cookie);
        }
        let response = site.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let set = response.headers().get(SET_COOKIE).map(|set| set.to_str().unwrap().to_owned());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (String::from_utf8(body.to_vec()).unwrap(), set)
    };
    let (words, set) = ask(None).await;
    assert_eq!(words, "first 1");
    let set = set.expect("a cookie");
    let cookie = set.split(';').next();
    assert!(site.mount("/shop", counter(&cluster, "second")).is_some());
    assert_eq!(ask(cookie).await, ("second 2".to_owned(), None));
    // Removed, and deployed again later.
    assert!(site.unmount("/shop").is_some());
    cluster.retire_app("/shop").await;
    assert!(site.mount("/shop", counter(&cluster, "third")).is_none());
    assert_eq!(ask(cookie).await, ("third 3".to_owned(), None));
}
