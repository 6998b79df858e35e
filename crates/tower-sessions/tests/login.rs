//! axum-login and axum-messages, unchanged, on the store: two nodes in one process, of which one is killed.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::get;
use axum_login::tower_sessions::SessionManagerLayer;
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, UserId, login_required};
use axum_messages::{Messages, MessagesManagerLayer};
use http::{Request, StatusCode};
use sessile::Cluster;
use sessile::testing::{Browser, TestCluster};
use sessile_tower_sessions::SessileStore;

#[derive(Clone, Debug)]
struct Ada;

impl AuthUser for Ada {
    type Id = i64;

    fn id(&self) -> i64 {
        1815
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"hash of her password"
    }
}

#[derive(Clone)]
struct Users;

impl AuthnBackend for Users {
    type User = Ada;
    type Credentials = ();
    type Error = Infallible;

    async fn authenticate(&self, (): ()) -> Result<Option<Ada>, Infallible> {
        Ok(Some(Ada))
    }

    async fn get_user(&self, id: &UserId<Self>) -> Result<Option<Ada>, Infallible> {
        Ok((*id == 1815).then_some(Ada))
    }
}

async fn login(mut auth: AuthSession<Users>, messages: Messages) {
    let user = auth.authenticate(()).await.unwrap().unwrap();
    auth.login(&user).await.unwrap();
    messages.success("welcome");
}

async fn logout(mut auth: AuthSession<Users>) {
    auth.logout().await.unwrap();
}

async fn read(messages: Messages) -> String {
    messages.into_iter().map(|message| message.message).collect()
}

fn app(cluster: &Cluster) -> Router {
    let store = SessileStore::new(&cluster.session_layer());
    let sessions = SessionManagerLayer::new(store.clone());
    Router::new()
        .route("/account", get(async || "hers"))
        .route_layer(login_required!(Users))
        .route("/login", get(login))
        .route("/logout", get(logout))
        .route("/messages", get(read))
        .layer(MessagesManagerLayer)
        .layer(AuthManagerLayerBuilder::new(Users, sessions).build())
        .layer(store.request_layer().with_route("id"))
}

#[tokio::test]
async fn a_login_and_its_message_survive_the_node_that_made_them() {
    let mut cluster = TestCluster::start(2, app).await;
    let mut browser = Browser::new();
    let page = |path: &str| Request::get(format!("https://shop.example{path}")).body(Body::empty()).unwrap();
    assert_eq!(cluster.visit(0, &mut browser, page("/account")).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(cluster.visit(0, &mut browser, page("/login")).await.status(), StatusCode::OK);
    assert!(browser.cookie(page("/").uri(), "id").unwrap().ends_with(".tc01"));
    cluster.kill(0);
    assert_eq!(cluster.visit(1, &mut browser, page("/account")).await.status(), StatusCode::OK);
    let shown = cluster.visit(1, &mut browser, page("/messages")).await;
    assert_eq!(to_bytes(shown.into_body(), 1_000).await.unwrap(), "welcome");
    let kept = browser.clone();
    cluster.visit(1, &mut browser, page("/logout")).await;
    let mut thief = kept;
    assert_eq!(cluster.visit(1, &mut thief, page("/account")).await.status(), StatusCode::UNAUTHORIZED);
}
