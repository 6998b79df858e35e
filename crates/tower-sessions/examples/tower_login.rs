//! axum-login and axum-messages, which need tower-sessions 0.14, on two nodes in one process.
//!
//! ```sh
//! cargo run -p sessile-tower-sessions --features v0_14 --example tower_login
//! curl -c jar -b jar -X POST localhost:9080/login     # the session gets a user and a message
//! curl -c jar -b jar localhost:10080/account          # hers, on the other node
//! curl -c jar -b jar localhost:10080/messages         # welcome, once
//! ```

use std::convert::Infallible;
use std::error::Error;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum_login::tower_sessions::SessionManagerLayer;
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, UserId, login_required};
use axum_messages::{Messages, MessagesManagerLayer};
use sessile::config::MembershipKind;
use sessile::{Cluster, ClusterSecrets, Config};
use sessile_tower_sessions::SessileStore;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let mut config = Config::default();
    config.cluster.secret_file = directory.path().join("cluster.secret");
    ClusterSecrets::load_or_create(&config.cluster.secret_file)?;
    config.membership.kind = MembershipKind::Static;
    config.membership.members = vec!["127.0.0.1:4001".parse()?, "127.0.0.1:4002".parse()?];
    let one = serve(node(config.clone(), "tc01", 4001).await?, 9080);
    let other = serve(node(config, "tc02", 4002).await?, 10080);
    tokio::try_join!(one, other)?;
    Ok(())
}

async fn node(mut config: Config, name: &str, port: u16) -> Result<Cluster, Box<dyn Error>> {
    config.node.name = name.to_owned();
    config.receiver.listen = ([127, 0, 0, 1], port).into();
    Ok(Cluster::join(config).await?)
}

async fn serve(cluster: Cluster, port: u16) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, app(&cluster)).await?;
    Ok(())
}

/// All that is new to an application of axum-login are the two lines with `store`.
pub(crate) fn app(cluster: &Cluster) -> Router {
    let store = SessileStore::new(&cluster.session_layer());
    let sessions = SessionManagerLayer::new(store.clone()).with_secure(false);
    Router::new()
        .route("/account", get(async || "hers\n"))
        .route_layer(login_required!(Users))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/messages", get(read))
        .layer(MessagesManagerLayer)
        .layer(AuthManagerLayerBuilder::new(Users, sessions).build())
        .layer(store.request_layer().with_route("id"))
        .merge(sessile::health(cluster))
}

async fn login(mut auth: AuthSession<Users>, messages: Messages) -> Result<(), StatusCode> {
    let failed = |_| StatusCode::INTERNAL_SERVER_ERROR;
    let user = auth.authenticate(()).await.map_err(failed)?.ok_or(StatusCode::UNAUTHORIZED)?;
    auth.login(&user).await.map_err(failed)?;
    messages.success("welcome");
    Ok(())
}

async fn logout(mut auth: AuthSession<Users>) -> Result<(), StatusCode> {
    auth.logout().await.map(drop).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn read(messages: Messages) -> String {
    messages.into_iter().map(|message| message.message + "\n").collect()
}

/// The only user.
#[derive(Clone, Debug)]
pub(crate) struct Ada;

impl AuthUser for Ada {
    type Id = i64;

    fn id(&self) -> i64 {
        1815
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"hash of her password"
    }
}

/// Everybody is Ada; a real one asks a database.
#[derive(Clone)]
pub(crate) struct Users;

impl AuthnBackend for Users {
    type User = Ada;
    type Credentials = ();
    type Error = Infallible;

    async fn authenticate(&self, (): ()) -> Result<Option<Ada>, Infallible> {
        Ok(Some(Ada))
    }

    async fn get_user(&self, id: &UserId<Self>) -> Result<Option<Ada>, Infallible> {
        Ok((*id == Ada.id()).then_some(Ada))
    }
}
