//! Sessions that their cookies carry.

use std::time::Duration;

use http::HeaderName;
use sessile_core::Receipt;

use super::*;
use sessile_config::Keep;

const RECEIPT: HeaderName = HeaderName::from_static("sessile-receipt");
const MINUTE: Duration = Duration::from_secs(60);

fn client_session() -> SessionSettings {
    carried_with(|_| ())
}

fn carried_with(change: impl FnOnce(&mut Config)) -> SessionSettings {
    let mut config = Config::default();
    config.session.keep = Keep::Cookie;
    config.replication.receipt_header = true;
    change(&mut config);
    SessionSettings::new(&config, "/", &config.session).unwrap()
}

impl Site {
    /// As a browser that still has this cookie sees it.
    async fn text_with(&mut self, cookie: &Option<String>, name: &'static str) -> Option<String> {
        let now = std::mem::replace(&mut self.cookie, cookie.clone());
        let text = self.text(name).await;
        self.cookie = now;
        text
    }

    async fn put(&mut self, name: &'static str, value: &'static str) -> Reply {
        self.visit(async move |session| answer(session.set(name, value).is_ok())).await
    }
}

#[tokio::test]
async fn the_cookie_carries_the_session_and_no_node_has_it() {
    let mut site = Site::with(client_session());
    let made = site.put("cart", "umbrella").await;
    let cookie = made.set_cookie.unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax") && !cookie.contains("umbrella"), "{cookie}");
    assert_eq!(made.response.headers()[RECEIPT], "copies=1/1");
    assert_eq!(site.engine.node().session_count(None), 0);

    let mut elsewhere = Site::with(client_session());
    elsewhere.cookie = site.cookie;
    let reply = elsewhere
        .visit(async |session| answer((session.get::<String>("cart").unwrap(), session.is_new())))
        .await;
    assert_eq!((reply.body.as_str(), reply.set_cookie), ("[\"umbrella\",false]", None), "nothing changed");
}

#[tokio::test]
async fn what_is_written_removed_and_set_about_it_comes_back() {
    let mut site = Site::with(client_session());
    site.put("a", "1").await;
    site.put("b", "2").await;
    let change = async |session: Session| {
        session.set_principal(Some("ada"), Some("form")).unwrap();
        session.set_max_inactive(MINUTE).unwrap();
        answer(session.remove("a").unwrap())
    };
    assert_eq!(site.visit(change).await.body, "true");
    let look = async |session: Session| {
        answer((session.names(), session.principal(), session.auth_type(), session.max_inactive().as_secs()))
    };
    assert_eq!(site.visit(look).await.body, r#"[["b"],"ada","form",60]"#);
}

#[tokio::test]
async fn a_session_that_is_too_large_is_refused_and_the_cookie_stays_as_it_was() {
    let mut site = Site::with(client_session());
    site.put("cart", "umbrella").await;
    let fill = async |session: Session| {
        session.set("small", "yes").unwrap();
        let refused = session.set("big", &"x".repeat(4_000)).unwrap_err();
        assert!(matches!(refused, SessionError::CookieTooLarge { bytes: 5_000.., max: 4096 }), "{refused}");
        answer(refused.to_string())
    };
    let reply = site.visit(fill).await;
    assert!(reply.body.contains("more than the 4096 that browsers keep"), "{}", reply.body);
    assert_eq!(site.text("small").await.as_deref(), Some("yes"), "what fits is kept");

    let before = site.cookie.clone();
    let login = async |session: Session| {
        session.set("cart", "lost").unwrap();
        session.change_id().unwrap();
        answer(session.set_principal(Some(&"ada".repeat(1_500)), None).is_ok())
    };
    let reply = site.visit(login).await;
    assert_eq!((reply.status, reply.set_cookie), (StatusCode::PAYLOAD_TOO_LARGE, None));
    assert_eq!(site.text_with(&before, "cart").await.as_deref(), Some("umbrella"), "nothing is half kept");
}

#[tokio::test]
async fn the_largest_cookie_is_as_large_as_browsers_keep() {
    let mut site = Site::with(client_session());
    let fill = async |session: Session| {
        let most = (0..4_096).rev().find(|bytes| session.set_bytes("x", vec![1; *bytes]).is_ok());
        answer(most.unwrap())
    };
    let reply = site.visit(fill).await;
    let cookie = reply.set_cookie.unwrap();
    assert!((4_060..=4_096 - "; Max-Age=34560000; Secure".len()).contains(&cookie.len()), "{}", cookie.len());
    let held = site.visit(async |session| answer(session.get_bytes("x").unwrap().len())).await;
    assert_eq!(held.body, reply.body);
}

#[tokio::test]
async fn a_logout_ends_the_copies_of_the_cookie_too() {
    let mut site = Site::with(client_session());
    site.put("cart", "umbrella").await;
    let copy = site.cookie.clone();
    let logout = site.visit(async |session| answer(session.invalidate().unwrap())).await;
    assert!(logout.set_cookie.unwrap().contains("Max-Age=0"));
    assert_eq!(site.text_with(&copy, "cart").await, None);
    site.engine.advance(34 * MINUTE);
    assert_eq!(site.text_with(&copy, "cart").await, None, "nor later");
}

#[tokio::test]
async fn a_login_leaves_the_cookie_from_before_worthless() {
    let mut site = Site::with(client_session());
    site.put("cart", "umbrella").await;
    let before = site.cookie.clone();
    let key = async |session: Session| answer(session.key().unwrap().to_string());
    let named = site.visit(key).await.body;
    let login = site.visit(async |session| answer(session.change_id().is_ok())).await;
    assert!(login.set_cookie.is_some());
    assert_eq!(site.text_with(&before, "cart").await.as_deref(), Some("umbrella"), "what was there before");
    site.engine.advance(std::time::Duration::from_secs(11));
    assert_eq!(site.text_with(&before, "cart").await, None, "for the grace time only");
    assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"));
    assert_eq!(site.visit(key).await.body, named, "the key stays");
}

#[tokio::test]
async fn a_request_that_ran_during_a_logout_or_a_login_brings_nothing_back() {
    for login in [false, true] {
        let mut site = Site::with(client_session());
        site.put("cart", "umbrella").await;
        let (layer, cookie) = (site.layer.clone(), site.cookie.clone().unwrap());
        let slow = async move |session: Session| {
            session.set("cart", "late").unwrap();
            let meanwhile = Request::get("/").header(COOKIE, cookie).body(Body::empty()).unwrap();
            let end = async move |session: Session| match login {
                true => answer(session.change_id().is_ok()),
                false => answer(session.invalidate().unwrap()),
            };
            send(&layer, meanwhile, end).await;
            answer(())
        };
        let reply = site.visit(slow).await;
        assert_eq!(
            (reply.status, reply.set_cookie),
            (StatusCode::OK, None),
            "the browser keeps the newer one"
        );
        assert_eq!(reply.response.extensions().get::<Receipt>().map(|receipt| receipt.ended), Some(true));
    }
}

#[tokio::test]
async fn it_lives_as_long_as_it_is_used() {
    let mut site = Site::with(client_session());
    site.put("cart", "umbrella").await;
    let first = site.cookie.clone();
    for _ in 0..10 {
        site.engine.advance(20 * MINUTE);
        assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"), "each use makes the cookie anew");
    }
    assert_eq!(site.text_with(&first, "cart").await, None);
    site.engine.advance(34 * MINUTE);
    assert_eq!(site.text("cart").await, None);
}

#[tokio::test]
async fn its_greatest_age_is_not_prolonged_by_use() {
    let mut site = Site::with(carried_with(|config| config.session.absolute_timeout = Some(60 * MINUTE)));
    site.put("cart", "umbrella").await;
    for minute in [20, 40, 59] {
        site.engine.advance(20 * MINUTE - if minute == 59 { MINUTE } else { Duration::ZERO });
        assert!(site.put("seen", "yes").await.set_cookie.is_some(), "{minute}");
        assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"));
    }
    site.engine.advance(MINUTE);
    assert_eq!(site.text("cart").await, None);
}

#[tokio::test]
async fn on_filtered_paths_no_cookie_is_made_anew() {
    let mut site = Site::with(client_session());
    site.put("cart", "umbrella").await;
    site.engine.advance(20 * MINUTE);
    let picture = Request::get("/logo.gif").body(Body::empty()).unwrap();
    let reply = site.send(picture, async |session| answer(session.get::<String>("cart").unwrap())).await;
    assert_eq!((reply.body.as_str(), reply.set_cookie), ("\"umbrella\"", None));
}

#[tokio::test]
async fn a_rotated_secret_makes_the_cookie_anew() {
    let mut site = Site::with(client_session());
    let controls = controls();
    site.layer = SessionLayer::new(
        Arc::clone(&site.host),
        "tc01",
        Arc::clone(&controls),
        client_session(),
        Arc::default(),
    );
    site.put("cart", "umbrella").await;
    controls.cookie_keys.renew(vec![[8; 32], COOKIE_KEY]);
    assert!(site.visit(async |_| answer(())).await.set_cookie.is_some());
    controls.cookie_keys.renew(vec![[8; 32]]);
    assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"));
    controls.cookie_keys.renew(vec![[9; 32]]);
    assert_eq!(site.text("cart").await, None);
}

#[tokio::test]
async fn what_a_handler_that_panicked_wrote_is_in_no_cookie() {
    let mut site = Site::with(client_session());
    site.put("cart", "umbrella").await;
    let (layer, cookie) = (site.layer.clone(), site.cookie.clone().unwrap());
    let request = Request::get("/").header(COOKIE, cookie).body(Body::empty()).unwrap();
    let panicking = async |session: Session| {
        session.set("cart", "lost").unwrap();
        session.change_id().unwrap();
        panic!("the handler");
    };
    tokio::spawn(async move { send(&layer, request, panicking).await }).await.unwrap_err();
    assert_eq!(site.text("cart").await.as_deref(), Some("umbrella"));
}

#[tokio::test]
async fn nothing_of_it_is_kept_on_a_node_or_opened_without_its_cookie() {
    let mut site = Site::with(carried_with(|config| config.replication.names = "cart".to_owned()));
    let reply = site
        .visit(async |session| {
            session.set("cart", "umbrella").unwrap();
            session.set("else", "too").unwrap();
            assert_eq!(session.set_local("pool", 1), Err(SessionError::InCookie));
            answer(session.key().unwrap().to_string())
        })
        .await;
    assert_eq!(site.text("else").await.as_deref(), Some("too"), "all attributes travel with the cookie");
    let key: String = serde_json::from_str(&reply.body).unwrap();
    let key = sessile_core::SessionKey::parse(&key).unwrap();
    let sessions = site.layer.sessions();
    assert_eq!(sessions.open(key).await.unwrap_err(), SessionError::InCookie);
    assert_eq!(sessions.look(key).await.unwrap_err(), SessionError::InCookie);
    sessions.end(key).await.unwrap();
    assert_eq!(site.text("cart").await, None, "but an operator can end it");
}

#[tokio::test]
async fn any_number_of_them_can_be_made() {
    for _ in 0..=MAX_ACTIVE {
        let mut site = Site::with(client_session());
        assert!(site.put("cart", "umbrella").await.set_cookie.is_some());
    }
}

#[test]
fn without_a_secret_there_are_none() {
    let mut config = Config::default();
    config.cluster.insecure = true;
    config.session.keep = Keep::Cookie;
    assert_eq!(SessionSettings::new(&config, "/", &config.session).unwrap_err().key, "keep");
}
