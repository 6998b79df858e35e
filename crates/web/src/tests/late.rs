//! Requests that come with a cookie from before a login or a logout.

use std::time::Duration;

use sessile_core::Receipt;

use super::*;
use sessile_config::OnEnded;

const GRACE: Duration = Duration::from_secs(10);

async fn login(session: Session) -> Response<Body> {
    session.change_id().unwrap();
    session.set_principal(Some("ada"), Some("form")).unwrap();
    session.set("account", "42").unwrap();
    answer(())
}

async fn look(session: Session) -> Response<Body> {
    answer((session.names(), session.principal(), session.key().is_some()))
}

async fn write(session: Session) -> Response<Body> {
    session.set("cart", "late").unwrap();
    answer(session.get::<String>("cart").unwrap())
}

/// A site with a cart whose user has logged in, and the cookie from before.
async fn logged_in(settings: SessionSettings) -> (Site, String) {
    let mut site = Site::with(settings);
    site.visit(async |session| answer(session.set("cart", "umbrella").is_ok())).await;
    let before = site.cookie.clone().unwrap();
    site.visit(login).await;
    (site, before)
}

impl Site {
    async fn with_cookie<A, R>(&self, cookie: &str, app: A) -> Reply
    where
        A: FnOnce(Session) -> R + Clone + Send + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let request = Request::get("/").header(COOKIE, cookie).body(Body::empty()).unwrap();
        send(&self.layer, request, app).await
    }
}

#[tokio::test]
async fn whoever_planted_the_cookie_sees_nothing_of_the_login() {
    let (mut site, before) = logged_in(usual()).await;
    site.visit(async |session| answer(session.set("orders", "7").is_ok())).await;
    let thief = site.with_cookie(&before, look).await;
    assert_eq!(thief.body, r#"[["cart"],null,false]"#, "what it could see before, and no key to open it by");
    assert_eq!(thief.set_cookie, None);
    let own = site.with_cookie(&before, login).await;
    let made = own.set_cookie.unwrap();
    let pair = made.split(';').next().unwrap();
    let theirs = site.with_cookie(pair, look).await;
    assert_eq!(theirs.body, r#"[["account","cart"],"ada",true]"#, "a session of its own, by its own login");
    site.visit(async |session| answer(session.set("secret", "x").is_ok())).await;
    assert!(!site.with_cookie(pair, look).await.body.contains("secret"), "apart from the first");
}

#[tokio::test]
async fn what_is_written_with_it_is_dropped_and_the_receipt_says_so() {
    for (outcome, expected) in [(OnEnded::Ignore, StatusCode::OK), (OnEnded::Conflict, StatusCode::CONFLICT)]
    {
        let settings =
            SessionSettings { receipt_header: true, ..sessions(|session| session.on_superseded = outcome) };
        let (mut site, before) = logged_in(settings).await;
        let late = site.with_cookie(&before, write).await;
        assert_eq!((late.status, late.set_cookie), (expected, None));
        assert_eq!(late.response.headers()["sessile-receipt"], "superseded");
        assert!(late.response.extensions().get::<Receipt>().unwrap().superseded);
        assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"));
        let ended = site.with_cookie(&before, async |session| answer(session.invalidate().unwrap())).await;
        assert_eq!((ended.body.as_str(), ended.set_cookie), ("false", None), "it ends nothing");
        assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"));
    }
}

#[tokio::test]
async fn the_cart_survives_a_second_click_on_login() {
    let (site, before) = logged_in(usual()).await;
    let second = site
        .with_cookie(&before, async |session| {
            session.set("note", "written before the change").unwrap();
            login(session).await
        })
        .await;
    let pair = second.set_cookie.unwrap();
    let names = site.with_cookie(pair.split(';').next().unwrap(), look).await.body;
    assert_eq!(names, r#"[["account","cart","note"],"ada",true]"#);
}

#[tokio::test]
async fn after_the_grace_time_it_opens_nothing_and_is_removed() {
    let (site, before) = logged_in(usual()).await;
    site.engine.advance(GRACE - Duration::from_secs(1));
    assert!(site.with_cookie(&before, look).await.body.contains("cart"));
    site.engine.advance(Duration::from_secs(1));
    let late = site.with_cookie(&before, look).await;
    assert_eq!(late.body, "[[],null,false]");
    assert!(late.set_cookie.unwrap().contains("Max-Age=0"));
    assert!(site.with_cookie(&before, write).await.set_cookie.unwrap().starts_with("sid="), "a new session");
}

#[tokio::test]
async fn without_a_grace_time_it_shows_nothing_and_is_left_alone() {
    let (site, before) = logged_in(sessions(|session| session.change_grace = Duration::ZERO)).await;
    let late = site.with_cookie(&before, look).await;
    assert_eq!((late.body.as_str(), late.set_cookie), ("[[],null,false]", None));
}

#[tokio::test]
async fn a_cookie_whose_session_ended_is_removed_when_the_browser_has_no_newer_one() {
    let (mut site, _) = logged_in(usual()).await;
    let dead = site.cookie.clone().unwrap();
    site.visit(async |session| answer(session.invalidate().unwrap())).await;
    assert_eq!(
        site.with_cookie(&dead, look).await.set_cookie,
        None,
        "it may have been on its way since before"
    );
    let logout = site.with_cookie(&dead, async |session| answer(session.invalidate().unwrap())).await;
    assert!(logout.set_cookie.unwrap().contains("Max-Age=0"), "a logout of its own");
    site.engine.advance(GRACE);
    assert!(site.with_cookie(&dead, look).await.set_cookie.unwrap().contains("Max-Age=0"));
    let picture = Request::get("/logo.gif").header(COOKIE, &dead).body(Body::empty()).unwrap();
    assert_eq!(send(&site.layer, picture, look).await.set_cookie, None);
}

#[tokio::test]
async fn of_several_cookies_of_one_session_the_newest_counts() {
    let (site, before) = logged_in(usual()).await;
    let now = site.cookie.clone().unwrap();
    for both in [format!("{before}; {now}"), format!("{now}; x=y; {before}")] {
        assert!(site.with_cookie(&both, look).await.body.contains("ada"), "{both}");
    }
}

#[tokio::test]
async fn of_cookies_of_different_sessions_none_counts_and_all_are_removed() {
    let (site, _) = logged_in(usual()).await;
    let mut attacker = Site {
        cookie: None,
        layer: site.layer.clone(),
        host: Arc::clone(&site.host),
        engine: site.engine.clone(),
    };
    attacker.visit(write).await;
    let both = format!("{}; {}", attacker.cookie.unwrap(), site.cookie.as_ref().unwrap());
    let request = Request::get("/shop/cart").header("host", "www.shop.example").header(COOKIE, both);
    let inner = tower::service_fn(async |request: Request<Body>| {
        let session = request.extensions().get::<Session>().unwrap().clone();
        Ok::<_, std::convert::Infallible>(look(session).await)
    });
    let reply = site.layer.layer(inner).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let removed: Vec<_> =
        reply.headers().get_all(SET_COOKIE).iter().map(|set| set.to_str().unwrap()).collect();
    assert!(removed.iter().all(|set| set.starts_with("sid=; ") && set.contains("Max-Age=0")), "{removed:?}");
    for place in [
        "Path=/;",
        "Path=/shop/cart;",
        "Path=/; Domain=shop.example;",
        "Path=/shop; Domain=www.shop.example;",
    ] {
        assert!(removed.iter().any(|set| set.contains(place)), "{place}: {removed:?}");
    }
    assert_eq!(reply.into_body().collect().await.unwrap().to_bytes(), "[[],null,false]");
}
