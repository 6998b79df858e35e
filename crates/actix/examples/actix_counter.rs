//! An actix-web application with the stock session middleware of actix-session, on two nodes in one process.
//!
//! ```sh
//! cargo run -p sessile-actix --example actix_counter
//! curl -c jar -b jar localhost:9080/       # visit 1, served by tc01
//! curl -c jar -b jar localhost:10080/      # visit 2, served by tc02
//! ```

use std::error::Error;
use std::net::SocketAddr;

use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use sessile::config::MembershipKind;
use sessile::{Cluster, ClusterSecrets, Config};
use sessile_actix::SessileStore;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let mut config = Config::default();
    config.cluster.secret_file = directory.path().join("cluster.secret");
    ClusterSecrets::load_or_create(&config.cluster.secret_file)?;
    config.membership.kind = MembershipKind::Static;
    config.membership.members = vec!["127.0.0.1:4001".parse()?, "127.0.0.1:4002".parse()?];
    // It protects the cookie, and is the same on every node; a real one comes from a file.
    let key = Key::generate();
    let (one, _) = serve(node(config.clone(), "tc01", 4001).await?, 9080, key.clone())?;
    let (other, _) = serve(node(config, "tc02", 4002).await?, 10080, key)?;
    futures_util::future::try_join(one, other).await?;
    Ok(())
}

async fn node(mut config: Config, name: &str, port: u16) -> Result<Cluster, Box<dyn Error>> {
    config.node.name = name.to_owned();
    config.receiver.listen = ([127, 0, 0, 1], port).into();
    Ok(Cluster::join(config).await?)
}

/// All that is new to an application of actix-session are the lines with `store`.
pub(crate) fn serve(cluster: Cluster, port: u16, key: Key) -> std::io::Result<(Server, SocketAddr)> {
    let store = SessileStore::new(&cluster.session_layer());
    let server = HttpServer::new(move || {
        let sessions = SessionMiddleware::builder(store.clone(), key.clone()).cookie_secure(false).build();
        App::new()
            .app_data(web::Data::new(cluster.name().to_owned()))
            .route("/", web::get().to(visit))
            .wrap(sessions)
            .wrap(store.request_scope().with_route("id"))
    });
    let server = server.workers(1).bind(("127.0.0.1", port))?;
    let address = server.addrs()[0];
    Ok((server.run(), address))
}

async fn visit(session: Session, node: web::Data<String>) -> actix_web::Result<String> {
    let visits = session.get::<u32>("visits")?.unwrap_or_default() + 1;
    session.insert("visits", visits)?;
    Ok(format!("visit {visits}, served by {}\n", node.as_str()))
}
