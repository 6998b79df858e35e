//! A background job that writes to its user's session, and a streamed response that follows it.
//!
//! ```sh
//! cargo run --example jobs -- tc01.toml
//! cargo run --example jobs -- tc02.toml
//! curl -c jar -b jar -X POST localhost:9080/import     # starts the job on the first node
//! curl -N -b jar localhost:10080/progress              # follows it on the second one, line by line
//! curl -b jar -X POST localhost:10080/logout           # ends the session: the job stops, on the other node
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use sessile::{Cluster, Config, DetachedSession, DetachedSessions, Session, SessionError};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::load(std::env::args().nth(1).as_deref().unwrap_or("tc01.toml"))?;
    let (listen, drain_time) = (config.http.listen, config.node.drain_time);
    let cluster = Cluster::join(config).await?;
    let site = site(&cluster, Duration::from_millis(200)).merge(sessile::admin::health(&cluster));
    let service = site.into_make_service_with_connect_info::<SocketAddr>();
    let leaving = cluster.clone();
    let drained = async move {
        let _ = tokio::signal::ctrl_c().await;
        if let Err(left) = leaving.drain(drain_time).await {
            tracing::warn!("{left}");
        }
    };
    axum::serve(TcpListener::bind(listen).await?, service).with_graceful_shutdown(drained).await?;
    cluster.leave().await;
    Ok(())
}

/// The application. Its job takes `pace` for each hundredth.
pub fn site(cluster: &Cluster, pace: Duration) -> Router {
    let layer = cluster.session_layer();
    let (importing, watching) = (layer.sessions(), layer.sessions());
    Router::new()
        .route("/import", post(move |session| start(session, importing, pace)))
        .route("/progress", get(move |session| progress(session, watching, pace)))
        .route("/logout", post(async |session: Session| session.invalidate().map(|_| "goodbye\n")))
        .layer(layer)
}

/// Answers at once; the job begins when the answer is on its way.
async fn start(
    session: Session,
    sessions: DetachedSessions,
    pace: Duration,
) -> Result<&'static str, SessionError> {
    session.set("progress", &0)?;
    tokio::spawn(async move {
        // Before this the session may not exist: this very request makes it.
        session.settled().await;
        let Some(key) = session.key() else { return };
        let imported = match sessions.open(key).await {
            Ok(session) => import(session, pace).await,
            Err(error) => Err(error),
        };
        if let Err(error) = imported {
            tracing::warn!("the import for session {key} stopped: {error}");
        }
    });
    Ok("started\n")
}

/// The job. Each commit is on every member when it returns, so whichever node is killed, the others know how
/// far it was; and it is an error when the user has logged out.
async fn import(session: DetachedSession, pace: Duration) -> Result<(), SessionError> {
    for percent in 1..=100 {
        tokio::time::sleep(pace).await;
        session.set("progress", &percent)?;
        session.commit().await?;
    }
    Ok(())
}

/// One line for each look at the session, until the job is done or the session has ended.
async fn progress(session: Session, sessions: DetachedSessions, pace: Duration) -> Response {
    let Some(key) = session.key() else { return StatusCode::NOT_FOUND.into_response() };
    let lines = stream::unfold(Some(0), move |last: Option<u8>| {
        let sessions = sessions.clone();
        async move {
            let last = last.filter(|percent| *percent < 100)?;
            tokio::time::sleep(pace).await;
            // Watching keeps no session alive: this looks instead of opening.
            let seen = match sessions.look(key).await {
                Ok(session) => session.get("progress"),
                Err(error) => Err(error),
            };
            Some(match seen {
                Ok(percent) => (format!("{} %\n", percent.unwrap_or(last)), Some(percent.unwrap_or(last))),
                Err(error) => (format!("{error}\n"), None),
            })
        }
    });
    Body::from_stream(futures_util::StreamExt::map(lines, Ok::<_, SessionError>)).into_response()
}
