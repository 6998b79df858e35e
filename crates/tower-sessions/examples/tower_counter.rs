//! An axum application with the stock session layer of tower-sessions, on two nodes in one process.
//!
//! ```sh
//! cargo run -p sessile-tower-sessions --example tower_counter
//! curl -c jar -b jar localhost:9080/       # visit 1, served by tc01
//! curl -c jar -b jar localhost:10080/      # visit 2, served by tc02
//! ```

use std::error::Error;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use sessile::config::MembershipKind;
use sessile::{Cluster, ClusterSecrets, Config};
use sessile_tower_sessions::SessileStore;
use tokio::net::TcpListener;
use tower_sessions::{Expiry, Session, SessionManagerLayer, session};

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

/// All that is new to an application of tower-sessions are the two lines with `store`.
pub(crate) fn app(cluster: &Cluster) -> Router {
    let store = SessileStore::new(&cluster.session_layer());
    let sessions = SessionManagerLayer::new(store.clone())
        .with_secure(false)
        .with_expiry(Expiry::OnInactivity(time::Duration::HOUR));
    Router::new()
        .route("/", get(visit))
        .with_state(cluster.name().to_owned())
        .layer(sessions)
        .layer(store.request_layer().with_route("id"))
        .merge(sessile::admin::health(cluster))
}

async fn visit(session: Session, State(node): State<String>) -> Result<String, String> {
    let failed = |error: session::Error| error.to_string();
    let visits = session.get::<u32>("visits").await.map_err(failed)?.unwrap_or_default() + 1;
    session.insert("visits", visits).await.map_err(failed)?;
    Ok(format!("visit {visits}, served by {node}\n"))
}
