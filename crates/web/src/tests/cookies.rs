//! What the browser is told, and what is believed of what it says.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use sessile_core::{AppId, Changes, Secret, SessionKey};

use super::*;
use crate::cookie::{CookieSigner, Identity};
use sessile_config::{Network, Secure};
use sessile_node::host::CommitPermit;

async fn put(session: Session) -> Response<Body> {
    session.set("cart", "umbrella").unwrap();
    answer(session.key().unwrap().to_string())
}

#[tokio::test]
async fn a_session_that_nobody_used_sets_no_cookie() {
    let mut site = Site::new();
    let reply = site.visit(async |session| answer(session.get::<String>("cart").unwrap())).await;
    assert_eq!((reply.status, reply.set_cookie), (StatusCode::OK, None));
}

#[tokio::test]
async fn the_first_write_sets_a_cookie_that_finds_the_session_again() {
    let mut site = Site::new();
    let made = site.visit(put).await;
    let cookie = made.set_cookie.unwrap();
    assert!(cookie.ends_with(".tc01; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");

    let found =
        site.visit(async |session| answer((session.key().unwrap().to_string(), session.is_new()))).await;
    assert_eq!(found.body, format!("[{},false]", made.body));
    assert_eq!(found.set_cookie, None, "nothing changed for the browser");
    assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"));
}

#[tokio::test]
async fn an_invented_cookie_is_never_adopted() {
    let invented = format!("{}.tc01", "A".repeat(48));
    let mut site = Site::new();
    site.cookie = Some(format!("sid={invented}"));
    let reply = site.visit(put).await;
    let cookie = reply.set_cookie.unwrap();
    assert!(!cookie.contains("AAAAAAAAAA"), "key and secret are new: {cookie}");
}

#[tokio::test]
async fn a_genuine_cookie_of_a_session_that_nobody_knows_is_not_adopted() {
    let mut elsewhere = Site::new();
    let there = elsewhere.visit(put).await.body;
    let mut site = Site::new();
    site.cookie = elsewhere.cookie;
    let here = site.visit(put).await;
    assert_ne!(here.body, there);
    assert!(here.set_cookie.is_some());
}

#[tokio::test]
async fn after_a_failover_the_route_is_rewritten_once() {
    let mut site = Site::new();
    site.visit(put).await;
    site.layer = layer(&site.host, "tc02", usual());
    let picture = Request::get("/logo.gif").body(Body::empty()).unwrap();
    let cached = site.send(picture, async |session| answer(session.previous_route())).await;
    assert_eq!((cached.body.as_str(), cached.set_cookie), ("\"tc01\"", None));
    let moved = site.visit(async |session| answer(session.previous_route())).await;
    assert_eq!(moved.body, "\"tc01\"");
    assert!(moved.set_cookie.unwrap().contains(".tc02;"));
    let stays = site.visit(async |session| answer(session.previous_route())).await;
    assert_eq!((stays.body.as_str(), stays.set_cookie), ("null", None));
    assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"));
}

#[tokio::test]
async fn without_rewriting_the_route_stays_though_another_node_answers() {
    let mut site = Site::new();
    site.visit(put).await;
    let controls = controls();
    controls.rewrite_route(false);
    site.layer =
        SessionLayer::new(Arc::clone(&site.host), "tc02", Arc::clone(&controls), usual(), Arc::default());
    let moved = site.visit(async |session| answer(session.previous_route())).await;
    assert_eq!((moved.body.as_str(), moved.set_cookie), ("\"tc01\"", None));
    let renewed = site.visit(async |session| answer(session.change_id().is_ok())).await;
    assert!(
        renewed.set_cookie.unwrap().contains(".tc01;"),
        "also a cookie that is made anew names the old node"
    );
    controls.rewrite_route(true);
    assert_eq!(site.visit(put).await.set_cookie, None, "the login's cookie may still be on its way");
    site.engine.advance(Duration::from_secs(10));
    assert!(site.visit(put).await.set_cookie.unwrap().contains(".tc02;"));
}

#[tokio::test]
async fn a_tag_of_a_secret_that_goes_is_made_anew_once() {
    let mut site = Site::new();
    let controls = controls();
    site.layer =
        SessionLayer::new(Arc::clone(&site.host), "tc01", Arc::clone(&controls), usual(), Arc::default());
    site.visit(put).await;
    controls.cookie_keys.renew(vec![[8; 32], COOKIE_KEY]);
    let picture = Request::get("/logo.gif").body(Body::empty()).unwrap();
    assert_eq!(
        site.send(picture, async |_| answer(())).await.set_cookie,
        None,
        "what may be cached sets none"
    );
    assert!(site.visit(async |_| answer(())).await.set_cookie.is_some());
    assert_eq!(site.visit(async |_| answer(())).await.set_cookie, None);
    controls.cookie_keys.renew(vec![[8; 32]]);
    assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"));
}

#[tokio::test]
async fn the_cookie_of_one_application_opens_nothing_in_another() {
    let mut site = Site::new();
    let shop = site.visit(put).await.body;
    let bank = SessionSettings { path: "/bank".to_owned(), ..usual() };
    site.layer = layer(&site.host, "tc01", bank);
    assert_eq!(site.text("cart").await, None);
    assert_ne!(site.visit(put).await.body, shop);
}

#[tokio::test]
async fn even_a_genuine_cookie_opens_only_sessions_of_its_application() {
    let mut site = Site::new();
    let identity = Identity { key: SessionKey([1; 16]), secret: Secret([2; 16]) };
    let foreign = Changes::create(AppId::of_path("/bank"), identity.secret, Duration::from_secs(60), None);
    site.host.commit(identity.key, &foreign, CommitPermit::default()).unwrap().receipt().await;
    site.cookie = Some(format!("sid={}", CookieSigner::new(COOKIE_KEY, "/").encode(identity, "tc01")));
    assert_eq!(site.visit(async |session| answer(session.key().is_some())).await.body, "false");
}

#[tokio::test]
async fn secure_follows_the_scheme_that_a_trusted_proxy_reports() {
    let trusting = SessionSettings {
        trusted_proxies: vec![Network::new("10.0.0.0".parse().unwrap(), 8).unwrap()],
        ..usual()
    };
    for (peer, proto, secure) in [
        ("10.1.1.1:5", "https", true),
        ("10.1.1.1:5", "https, http", true),
        ("10.1.1.1:5", "http", false),
        ("192.0.2.1:5", "https", false),
    ] {
        let mut request = Request::get("/").header("x-forwarded-proto", proto).body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        let cookie = Site::with(trusting.clone()).send(request, put).await.set_cookie.unwrap();
        assert_eq!(cookie.ends_with("; Secure"), secure, "{peer} {proto}");
    }
    let direct = Request::get("https://shop.example/").body(Body::empty()).unwrap();
    assert!(Site::with(trusting).send(direct, put).await.set_cookie.unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn a_secure_cookie_for_the_whole_host_is_bound_to_it() {
    let mut site = Site::with(sessions(|session| session.secure = Secure::Always));
    let cookie = site.visit(put).await.set_cookie.unwrap();
    assert!(
        cookie.starts_with("__Host-sid=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure")
    );
    assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"));
}

#[tokio::test]
async fn a_login_changes_the_cookie_and_keeps_the_session() {
    let mut site = Site::new();
    let key = site.visit(put).await.body;
    let before = site.cookie.clone();
    let login = site
        .visit(async |session| {
            session.change_id().unwrap();
            session.set_principal(Some("ada"), Some("FORM")).unwrap();
            answer(session.key().unwrap().to_string())
        })
        .await;
    assert_eq!(login.body, key);
    assert_ne!(site.cookie, before);
    assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"));
    assert_eq!(site.visit(async |session| answer(session.principal())).await.body, "\"ada\"");

    let mut thief = Request::get("/").body(Body::empty()).unwrap();
    thief.headers_mut().insert(COOKIE, before.unwrap().parse().unwrap());
    let reply = send(&site.layer, thief, async |session| answer(session.key().is_some())).await;
    assert_eq!(reply.body, "false", "the cookie that was known before the login opens nothing");
}

#[tokio::test]
async fn a_login_that_makes_the_session_needs_one_cookie() {
    let mut site = Site::new();
    site.visit(async |session| {
        session.set("user", "ada").unwrap();
        session.change_id().unwrap();
        answer(())
    })
    .await;
    assert_eq!(site.text("user").await.as_deref(), Some("ada"));
}
