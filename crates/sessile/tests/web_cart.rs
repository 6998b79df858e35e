//! The example's shop on two nodes, of which one is lost: what the example promises in its first lines.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[allow(dead_code, unreachable_pub, reason = "the example's own main is not run here")]
#[path = "../examples/cart.rs"]
mod cart;

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use sessile::config::MembershipKind;
use sessile::{Cluster, ClusterSecrets, Config};
use tower::ServiceExt as _;

/// Nothing listens there: a list of members needs at least one.
const NOBODY: &str = "127.0.0.1:1";

async fn node(name: &str, directory: &Path, known: &str) -> (Cluster, Router) {
    let mut config = Config::default();
    config.node.name = name.to_owned();
    config.cluster.secret_file = directory.join("cluster.secret");
    config.receiver.listen = ([127, 0, 0, 1], 0).into();
    config.membership.kind = MembershipKind::Static;
    config.membership.members = vec![known.parse().unwrap()];
    config.membership.frequency = Duration::from_millis(100);
    let cluster = Cluster::join(config).await.unwrap();
    let shop = cart::shop().layer(cluster.session_layer());
    (cluster, shop)
}

/// A browser that keeps its cookie.
#[derive(Clone, Default)]
struct Browser {
    cookie: String,
}

impl Browser {
    async fn get(&mut self, shop: &Router, path: &str) -> (StatusCode, String) {
        self.send(shop, Request::get(path), Body::empty()).await
    }

    async fn post(&mut self, shop: &Router, path: &str, form: &str) -> (StatusCode, String) {
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(CONTENT_LENGTH, form.len());
        self.send(shop, request, form.to_owned().into()).await
    }

    async fn send(
        &mut self,
        shop: &Router,
        request: http::request::Builder,
        body: Body,
    ) -> (StatusCode, String) {
        let request = request.header(COOKIE, &self.cookie).body(body).unwrap();
        let response = shop.clone().oneshot(request).await.unwrap();
        if let Some(set) = response.headers().get(SET_COOKIE) {
            self.cookie = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn the_cart_and_the_login_stay_when_a_server_goes() {
    let directory = tempfile::tempdir().unwrap();
    ClusterSecrets::load_or_create(&directory.path().join("cluster.secret")).unwrap();
    let (one, shop) = node("tc01", directory.path(), NOBODY).await;
    let (_other, other_shop) = node("tc02", directory.path(), &one.members()[0].address).await;

    let mut browser = Browser::default();
    browser.post(&shop, "/cart", "item=umbrella").await;
    let before_login = browser.clone();
    assert_eq!(browser.post(&shop, "/login", "name=ada&password=wrong").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.post(&shop, "/login", "name=ada&password=lovelace").await.0, StatusCode::OK);
    assert_eq!(browser.post(&other_shop, "/cart", "item=umbrella").await.1, r#"{"umbrella":2}"#);

    drop((one, shop));
    assert_eq!(browser.get(&other_shop, "/cart").await.1, r#"["ada",{"umbrella":2}]"#);
    for _ in 0..2 {
        let order = browser.post(&other_shop, "/checkout", "idempotency_key=k1").await;
        assert_eq!(order, (StatusCode::OK, "order 1: 2 things\n".to_owned()));
    }
    assert_eq!(browser.post(&other_shop, "/checkout", "idempotency_key=k2").await.0, StatusCode::CONFLICT);
    assert_eq!(browser.get(&other_shop, "/cart").await.1, r#"["ada",{}]"#);
    let stolen = before_login.clone().get(&other_shop, "/cart").await.1;
    assert_eq!(stolen, "[null,{}]", "the cookie from before the login shows nothing of what came later");
    browser.post(&other_shop, "/logout", "").await;
    assert_eq!(browser.get(&other_shop, "/cart").await.1, "[null,{}]");
}
