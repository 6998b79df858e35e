//! A request that runs through the layers of two applications: a portal at `/` and the shop in it at `/shop`.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use sessile::config::App;
use sessile::{Session, SessionError, Sessions};
use tower::ServiceExt as _;

use crate::harness::{Node, Town};

/// The portal around the shop, on one node.
fn portal(node: &Node) -> Router {
    let [portal, shop] = [0, 1].map(|app| node.cluster.app_layer(&node.cluster.config().apps[app]).unwrap());
    let shop = Router::new()
        .route("/shop/set/{value}", get(set_both))
        .route("/shop/get", get(get_both))
        .route("/shop/logo.gif", get(set_both_filtered))
        .layer(shop);
    shop.route("/set/{value}", get(set_portal)).layer(portal)
}

async fn set_both(sessions: Sessions, shop: Session, Path(value): Path<String>) -> Result<(), SessionError> {
    assert_eq!(shop.app_path(), "/shop", "the innermost");
    assert!(sessions.of("/bank").is_none());
    shop.set("x", &format!("shop {value}"))?;
    sessions.of("/").unwrap().set("x", &format!("portal {value}"))
}

async fn get_both(sessions: Sessions) -> Result<String, SessionError> {
    let read = |session: &Session| Ok(session.get::<String>("x")?.unwrap_or_default());
    let read: Result<Vec<String>, SessionError> = sessions.iter().map(read).collect();
    Ok(read?.join(", "))
}

async fn set_both_filtered(sessions: Sessions) -> String {
    let refused = sessions.iter().filter(|session| session.set("x", "y") == Err(SessionError::ReadOnly));
    refused.count().to_string()
}

async fn set_portal(portal: Session, Path(value): Path<String>) -> Result<(), SessionError> {
    portal.set("x", &format!("portal {value}"))
}

async fn set_own(session: Session, Path(value): Path<String>) -> Result<(), SessionError> {
    assert_eq!(session.app_path(), "/s", "that of its sessions");
    session.set("x", &value)
}

async fn get_own(session: Session) -> Result<String, SessionError> {
    Ok(session.get("x")?.unwrap_or_default())
}

/// Keeps one cookie for each path, though all have one name, and sends them as browsers do: the longest path
/// first.
#[derive(Default)]
struct Jar(BTreeMap<String, String>);

impl Jar {
    async fn get(&mut self, site: &Router, path: &str) -> String {
        let mut request = Request::get(path);
        for (of, cookie) in self.0.iter().rev().filter(|(of, _)| path.starts_with(of.as_str())) {
            assert!(of.starts_with('/'));
            request = request.header(COOKIE, cookie);
        }
        let response = site.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        for set in response.headers().get_all(SET_COOKIE) {
            let set = set.to_str().unwrap();
            let path = set.split("; Path=").nth(1).unwrap().split(';').next().unwrap();
            let known = self.0.insert(path.to_owned(), set.split(';').next().unwrap().to_owned());
            assert_ne!(known.as_deref(), set.split(';').next(), "not set without need");
        }
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }
}

fn town() -> Town {
    Town::with(|config| {
        config.replication.filter = r".*\.js;.*\.gif".to_owned();
        let portal = App { path: "/".to_owned(), ..App::with_session(config.session.clone()) };
        let shop = App { path: "/shop".to_owned(), ..portal.clone() };
        config.apps = vec![portal, shop];
    })
}

#[tokio::test]
async fn each_session_is_replicated_and_each_has_its_cookie() {
    let (a, b) = town().pair().await;
    let (at_a, at_b) = (portal(&a), portal(&b));
    let mut jar = Jar::default();
    jar.get(&at_a, "/shop/set/1").await;
    assert_eq!(jar.0.keys().collect::<Vec<_>>(), ["/", "/shop"]);
    assert!(jar.0.values().all(|cookie| cookie.starts_with("sid=")), "of one name");
    assert_eq!((a.cluster.session_count(), b.cluster.session_count()), (2, 2));
    assert_eq!(b.cluster.look("/").session_count(), 1);

    assert_eq!(jar.get(&at_b, "/shop/get").await, "portal 1, shop 1", "neither cookie hides the other");
    assert!(jar.0.values().all(|cookie| cookie.ends_with(".tc02")), "both moved: {:?}", jar.0);
    jar.get(&at_a, "/set/2").await;
    assert!(jar.0["/"].ends_with(".tc01") && jar.0["/shop"].ends_with(".tc02"));
    assert_eq!(jar.get(&at_b, "/shop/get").await, "portal 2, shop 1");
    assert_eq!((a.cluster.session_count(), b.cluster.session_count()), (2, 2), "and none was made anew");
    let sends = ["/", "/shop"].map(|path| a.cluster.look(path).statistics().sends());
    assert_eq!(sends, [2, 1]);
    let shop = a.cluster.look("/shop").statistics();
    let last = shop.last_send_time().unwrap();
    assert_eq!(shop.send_time().as_micros(), last.as_micros(), "of the only one");
    assert!(shop.last_sent_at().is_some() && shop.send_time() > Duration::ZERO);
    let metrics = a.cluster.metrics();
    for line in [
        "sessile_app_sends_total{app=\"/\"} 2",
        "sessile_app_sends_total{app=\"/shop\"} 1",
        "sessile_app_requests_total{app=\"/\"} 2",
        "sessile_app_last_send_timestamp_seconds{app=\"/shop\"} 1",
    ] {
        assert!(metrics.lines().any(|other| other.starts_with(line)), "no {line} in\n{metrics}");
    }
}

#[tokio::test]
async fn the_filter_holds_for_all_of_them() {
    let (a, b) = town().pair().await;
    let (at_a, at_b) = (portal(&a), portal(&b));
    let mut jar = Jar::default();
    jar.get(&at_a, "/shop/set/1").await;
    assert_eq!(jar.get(&at_b, "/shop/logo.gif").await, "2", "both are read-only there");
    assert_eq!(jar.get(&at_b, "/shop/get").await, "portal 1, shop 1");
    let shop = b.cluster.look("/shop").statistics();
    assert_eq!((shop.requests(), shop.filtered(), shop.sends()), (2, 1, 0));
    assert_eq!((shop.last_sent_at(), shop.last_send_time()), (None, None));
}

#[tokio::test]
async fn applications_that_name_one_path_have_the_same_sessions() {
    let town = Town::with(|config| {
        let shared = App { session_path: Some("/s".to_owned()), ..App::with_session(config.session.clone()) };
        config.apps =
            ["/s/shop", "/s/help"].map(|path| App { path: path.to_owned(), ..shared.clone() }).into();
    });
    let (a, b) = town.pair().await;
    let site = |node: &Node| {
        let site = Router::new().route("/set/{value}", get(set_own)).route("/get", get(get_own));
        let layers = node.cluster.config().apps.iter().map(|app| (app, node.cluster.app_layer(app).unwrap()));
        layers.fold(Router::new(), |all, (app, layer)| all.nest(&app.path, site.clone().layer(layer)))
    };
    let (at_a, at_b) = (site(&a), site(&b));
    let mut jar = Jar::default();
    jar.get(&at_a, "/s/shop/set/1").await;
    assert_eq!(jar.0.keys().collect::<Vec<_>>(), ["/s"], "one cookie for both");
    assert_eq!(jar.get(&at_a, "/s/help/get").await, "1");
    assert_eq!(jar.get(&at_b, "/s/help/get").await, "1");
    jar.get(&at_b, "/s/help/set/2").await;
    assert_eq!(jar.get(&at_a, "/s/shop/get").await, "2");
    assert_eq!((a.cluster.session_count(), b.cluster.session_count()), (1, 1));
    let both = a.cluster.look("/s").statistics();
    assert_eq!((both.requests(), both.sends()), (3, 1), "they are counted together");
    let local = App { distributable: false, ..a.cluster.config().apps[0].clone() };
    assert!(a.cluster.check_app(&local).is_err() && a.cluster.check_app(&a.cluster.config().apps[0]).is_ok());
    let refused = a.cluster.app_layer(&local).err().map(|error| error.to_string());
    assert!(refused.is_some_and(|words| words.contains("session_path") && words.contains("/s")));
}
