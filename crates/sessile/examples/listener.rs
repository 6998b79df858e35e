//! Logs what happens to sessions, here and on the other nodes, as the `ClusterAppSessionListener` of the
//! article does.
//!
//! Start two of it, each with its own configuration, and watch both while you use one:
//!
//! ```sh
//! cargo run --example listener -- tc01.toml
//! cargo run --example listener -- tc02.toml
//! curl -c jar -b jar localhost:9080/visit      # tc01: created, attribute added; tc02: the same, marked remote
//! curl -c jar -b jar localhost:10080/visit     # tc02: attribute replaced; tc01: the same, marked remote
//! curl -c jar -b jar localhost:9080/goodbye    # tc01: ended
//! ```

use std::error::Error;

use axum::Router;
use axum::routing::get;
use sessile::events::{EndReason, Notification, Scope, SessionChange};
use sessile::{Cluster, Config, Session, SessionError};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::load(std::env::args().nth(1).as_deref().unwrap_or("tc01.toml"))?;
    let (listen, drain_time) = (config.http.listen, config.node.drain_time);
    let cluster = Cluster::start(config).await?;
    // Before the node is ready, so that nothing is missed between. Dropping it would end the listening.
    let _listening = cluster.listen(Scope::EveryNode, log);
    cluster.ready().await?;
    let app = app().layer(cluster.session_layer());
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(TcpListener::bind(listen).await?, app).with_graceful_shutdown(stop).await?;
    cluster.drain(drain_time).await?;
    // Returns when the listener has heard everything.
    cluster.leave().await;
    Ok(())
}

/// An application that has something to tell.
pub fn app() -> Router {
    Router::new().route("/visit", get(visit)).route("/goodbye", get(goodbye))
}

async fn visit(session: Session) -> Result<String, SessionError> {
    let visits = session.get::<u32>("visits")?.unwrap_or_default() + 1;
    session.set("visits", &visits)?;
    Ok(format!("{visits} visits\n"))
}

async fn goodbye(session: Session) -> Result<&'static str, SessionError> {
    Ok(if session.invalidate()? { "goodbye\n" } else { "who are you?\n" })
}

/// A real listener that must do a thing once, such as sending a mail when a session ends, listens to the
/// acting node and remembers the event ids: an end may be told again, with the same one, when the node that
/// made it dies.
#[expect(clippy::print_stderr, reason = "this is what the example is for")]
fn log(told: &Notification) {
    eprintln!("{}", line(told));
}

/// One change in words.
pub fn line(told: &Notification) -> String {
    let what = match &told.change {
        SessionChange::Created => "sessionCreated".to_owned(),
        SessionChange::Ended { reason: EndReason::Expired } => "sessionDestroyed: nobody used it".to_owned(),
        SessionChange::Ended { reason: EndReason::Invalidated } => "sessionDestroyed: invalidated".to_owned(),
        SessionChange::AttributeAdded { name } => format!("attributeAdded: {name}"),
        SessionChange::AttributeReplaced { name } => format!("attributeReplaced: {name}"),
        SessionChange::AttributeRemoved { name } => format!("attributeRemoved: {name}"),
        other => format!("{other:?}"),
    };
    let place = if told.remote { " (remote)" } else { "" };
    format!("ClusterAppSessionListener: {} {} {what}{place}", told.app, told.key)
}
