//! Answers: what caches may keep, what an error commits, what a user reads, and requests that make no
//! session.

use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use tower_layer::Stack;

use super::*;

async fn put(session: Session) -> Response<Body> {
    session.set("n", "one").unwrap();
    answer(())
}

fn public() -> Response<Body> {
    let mut response = answer(());
    response.headers_mut().insert(CACHE_CONTROL, "public, max-age=600".parse().unwrap());
    response
}

#[tokio::test]
async fn no_answer_that_a_shared_cache_may_keep_carries_the_cookie() {
    let mut site = Site::new();
    let made = site.visit(put).await;
    assert_eq!(made.response.headers()[CACHE_CONTROL], "private");
    assert_eq!(made.response.headers()[VARY], "Cookie");
    // Another node: the cookie would get its route.
    site.layer = layer(&site.host, "tc02", usual());
    let untouched = site.visit(async |_| public()).await;
    assert_eq!((untouched.set_cookie, untouched.response.headers().get(VARY)), (None, None));
    assert_eq!(untouched.response.headers()[CACHE_CONTROL], "public, max-age=600");
    let looked = site
        .visit(async |session| {
            session.names();
            public()
        })
        .await;
    assert!(looked.set_cookie.unwrap().contains(".tc02;"));
    assert_eq!(looked.response.headers()[CACHE_CONTROL], "private, max-age=600");
    let ended = site
        .visit(async |session| {
            session.invalidate().unwrap();
            public()
        })
        .await;
    assert!(ended.set_cookie.unwrap().contains("Max-Age=0"));
    assert_eq!(ended.response.headers()[CACHE_CONTROL], "private, max-age=600");
}

#[tokio::test]
async fn an_error_drops_the_writes_where_that_is_wanted() {
    for (failed, commits) in [
        (StatusCode::INTERNAL_SERVER_ERROR, false),
        (StatusCode::GATEWAY_TIMEOUT, false),
        (StatusCode::REQUEST_TIMEOUT, false),
        (StatusCode::BAD_REQUEST, true),
    ] {
        let mut site = Site::with(sessions(|session| session.commit_on_error = false));
        let first = site
            .visit(async move |session| {
                session.set("n", "half").unwrap();
                status(failed)
            })
            .await;
        assert_eq!(first.set_cookie.is_some(), commits, "{failed}");
        site.visit(put).await;
        let old = site.cookie.clone();
        site.visit(async move |session| {
            session.set("n", "half").unwrap();
            session.set_local("l", 1_u8).unwrap();
            session.change_id().unwrap();
            status(failed)
        })
        .await;
        assert_ne!(site.cookie, old, "a change of the id is never undone");
        assert_eq!(site.text("n").await.as_deref(), Some(if commits { "half" } else { "one" }), "{failed}");
        let local = site.visit(async |session| answer(session.get_local::<u8>("l").is_some())).await;
        assert_eq!(local.body, commits.to_string());
    }
}

#[tokio::test]
async fn the_layer_applied_twice_is_one_session() {
    let mut site = Site::new();
    let twice = Stack::new(site.layer.clone(), layer(&site.host, "tc01", usual()));
    let inner = tower::service_fn(async |request: Request<Body>| {
        let session = request.extensions().get::<Session>().unwrap().clone();
        let sessions = request.extensions().get::<crate::Sessions>().unwrap().iter().count();
        session.set("n", &sessions).unwrap();
        Ok::<_, std::convert::Infallible>(answer(()))
    });
    let request = Request::get("/").body(Body::empty()).unwrap();
    let reply = twice.layer(inner).oneshot(request).await.unwrap();
    let set: Vec<_> = reply.headers().get_all(SET_COOKIE).iter().collect();
    assert_eq!(set.len(), 1, "{set:?}");
    site.cookie = Some(set[0].to_str().unwrap().split(';').next().unwrap().to_owned());
    assert_eq!(site.visit(async |session| answer(session.get::<usize>("n").unwrap())).await.body, "1");
}

#[tokio::test]
async fn a_preflight_makes_no_session_and_fails_nothing() {
    let mut site = Site::new();
    let ask = |method: Method| {
        let request = Request::builder().method(method).uri("/").header("origin", "https://a.example");
        request.header("access-control-request-method", "POST").body(Body::empty()).unwrap()
    };
    let reply = site
        .send(ask(Method::OPTIONS), async |session| {
            session.change_id().unwrap();
            put(session).await
        })
        .await;
    assert_eq!((reply.status, reply.set_cookie), (StatusCode::OK, None));
    assert!(site.engine.node().sessions(None, 9, site.engine.now()).is_empty());
    assert!(site.send(ask(Method::POST), put).await.set_cookie.is_some());
}

#[tokio::test]
async fn read_only_paths_are_so_for_reading() {
    let mut site = Site::new();
    for (method, refused) in
        [(Method::GET, true), (Method::HEAD, true), (Method::POST, false), (Method::PUT, false)]
    {
        let request =
            Request::builder().method(method.clone()).uri("/save.html").body(Body::empty()).unwrap();
        let reply = site.send(request, async |session| answer(session.set("n", "x").is_err())).await;
        assert_eq!(reply.body, refused.to_string(), "{method}");
    }
}

#[tokio::test]
async fn an_attribute_that_no_longer_decodes_is_kept_counted_and_no_secret_of_the_inside() {
    let mut site = Site::new();
    site.visit(put).await;
    let fails = async |session: Session| match session.get::<u32>("n") {
        Ok(_) => answer(()),
        Err(error) => axum::response::IntoResponse::into_response(error),
    };
    let reply = site.visit(fails).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(reply.body, "Something went wrong here. Please try again later.\n");
    let asks = Request::get("/")
        .header(ACCEPT, "text/html, application/problem+json;q=0.9")
        .body(Body::empty())
        .unwrap();
    let problem = site.send(asks, fails).await;
    assert_eq!(problem.response.headers()[CONTENT_TYPE], "application/problem+json");
    let json: serde_json::Value = serde_json::from_str(&problem.body).unwrap();
    assert_eq!((json["status"].as_u64(), json["title"].as_str()), (Some(500), Some("Internal Server Error")));
    assert!(!problem.body.contains("decode"), "{}", problem.body);
    let handled = async |session: Session| answer(session.get::<u32>("n").unwrap_or_default());
    assert_eq!(site.visit(handled).await.body, "null", "the handler goes on without it");
    assert_eq!(site.layer.statistics().undecodable(), 3);
    assert_eq!(site.text("n").await.as_deref(), Some("one"), "it is kept as it is");
}

#[tokio::test]
async fn bytes_of_other_cookies_hide_no_session() {
    let mut site = Site::new();
    site.visit(put).await;
    let cookies =
        [b"city=Z\xfcrich; ", site.cookie.as_ref().unwrap().as_bytes(), "; x=Zürich".as_bytes()].concat();
    let mut request = Request::get("/").body(Body::empty()).unwrap();
    request.headers_mut().insert(COOKIE, http::HeaderValue::from_bytes(&cookies).unwrap());
    let reply = send(&site.layer, request, async |session| answer(session.get::<String>("n").unwrap())).await;
    assert_eq!((reply.body.as_str(), reply.set_cookie), ("\"one\"", None));
}

#[tokio::test]
async fn a_cookie_is_kept_as_long_as_the_configuration_says() {
    let mut site = Site::with(sessions(|session| session.max_age = Some(Duration::from_secs(86_400 * 30))));
    assert!(site.visit(put).await.set_cookie.unwrap().contains("; Max-Age=2592000"));
}
