//! "Remember me": how long the browser keeps the cookie of one session.

use std::time::Duration;

use super::*;
use sessile_config::Keep;

const MONTH: Duration = Duration::from_secs(30 * 86_400);
const KEPT: &str = "; Max-Age=2592000";

async fn put(session: Session) -> Response<Body> {
    answer(session.set("cart", "umbrella").is_ok())
}

async fn remember(session: Session) -> Response<Body> {
    session.set_cookie_max_age(Some(MONTH)).unwrap();
    answer(session.cookie_max_age().unwrap().as_secs())
}

async fn forget(session: Session) -> Response<Body> {
    session.set_cookie_max_age(None).unwrap();
    answer(session.cookie_max_age().is_none())
}

async fn login(session: Session) -> Response<Body> {
    session.change_id().unwrap();
    answer(session.set_principal(Some("ada"), None).is_ok())
}

#[tokio::test]
async fn the_answer_and_every_later_one_set_the_cookie_for_as_long() {
    for keep in [Keep::Memory, Keep::Cookie] {
        let settings = sessions(|session| session.keep = keep);
        let mut site = Site::with(settings.clone());
        assert!(!site.visit(put).await.set_cookie.unwrap().contains("Max-Age"), "{keep:?}");
        let kept = site.visit(remember).await;
        assert_eq!(kept.body, "2592000");
        assert!(
            kept.set_cookie.unwrap().contains(KEPT),
            "{keep:?}: the browser has it already, for less long"
        );
        assert!(site.visit(login).await.set_cookie.unwrap().contains(KEPT), "{keep:?}: the next secret");
        assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"));
        let forgotten = site.visit(forget).await;
        assert!(!forgotten.set_cookie.unwrap().contains("Max-Age"), "{keep:?}");
        assert!(!site.visit(login).await.set_cookie.unwrap().contains("Max-Age"), "{keep:?}");
    }
}

#[tokio::test]
async fn another_node_that_takes_the_session_over_keeps_it_so() {
    let mut site = Site::new();
    site.visit(remember).await;
    site.engine.advance(Duration::from_secs(60));
    site.layer = layer(&site.host, "tc02", usual());
    let renamed = site.visit(async |session| answer(session.names())).await.set_cookie.unwrap();
    assert!(renamed.contains(".tc02;") && renamed.contains(KEPT), "{renamed}");
}

#[tokio::test]
async fn a_session_may_be_kept_less_long_than_configured_and_none_more_than_browsers_do() {
    let mut site = Site::with(sessions(|session| session.max_age = Some(MONTH)));
    assert!(site.visit(put).await.set_cookie.unwrap().contains(KEPT));
    assert_eq!(
        site.visit(async |session| answer(session.cookie_max_age())).await.body,
        r#"{"secs":2592000,"nanos":0}"#
    );
    assert!(!site.visit(forget).await.set_cookie.unwrap().contains("Max-Age"));
    let for_ever = async |session: Session| answer(session.set_cookie_max_age(Some(Duration::MAX)).is_ok());
    assert!(site.visit(for_ever).await.set_cookie.unwrap().contains("; Max-Age=34560000"));
}

#[tokio::test]
async fn a_cookie_that_was_replaced_is_not_set_again() {
    let mut site = Site::new();
    site.visit(put).await;
    let before = site.cookie.clone().unwrap();
    site.visit(login).await;
    let request = Request::get("/").header(COOKIE, before).body(Body::empty()).unwrap();
    assert_eq!(send(&site.layer, request, remember).await.set_cookie, None, "it came after the login");
    // A login comes while the request runs.
    let (layer, current) = (site.layer.clone(), site.cookie.clone().unwrap());
    let request = |cookie: &str| Request::get("/").header(COOKIE, cookie).body(Body::empty()).unwrap();
    let (other, cookie) = (layer.clone(), current.clone());
    let overtaken = move |session: Session| async move {
        session.set_cookie_max_age(Some(MONTH)).unwrap();
        assert!(send(&other, request(&cookie), login).await.set_cookie.is_some());
        answer(())
    };
    assert_eq!(send(&layer, request(&current), overtaken).await.set_cookie, None);
}
