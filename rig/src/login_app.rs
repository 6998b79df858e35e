//! An application with a login that changes the session's id, built on the library (clusterapp has none).

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Args;
use serde_json::{Value, json};
use sessile::{Cluster, Config, Session, SessionError};

/// Serves it as a node of a cluster.
#[derive(Debug, Args)]
pub(crate) struct LoginApp {
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl LoginApp {
    /// Serves until it is killed.
    pub(crate) fn run(self) -> Result<()> {
        tokio::runtime::Runtime::new().context("a runtime")?.block_on(self.serve())
    }

    async fn serve(self) -> Result<()> {
        let config = Config::load(&self.config)?;
        let listen = config.http.listen;
        let cluster = Cluster::join(config).await?;
        let app = Router::new()
            .route("/write", post(write))
            .route("/login", post(login))
            .route("/read", get(read))
            .layer(cluster.session_layer())
            // The rig polls this path to see whether a node serves.
            .route("/clusterapp/stats", get(stats).with_state(cluster));
        let listener = tokio::net::TcpListener::bind(listen).await.context("the HTTP port")?;
        axum::serve(listener, app).await.context("the HTTP port")
    }
}

/// Writes an attribute; returns the session's key.
async fn write(
    session: Session,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Json<Value>, SessionError> {
    session.set(query.get("name").map_or("a", String::as_str), &true)?;
    Ok(Json(json!({ "key": key(&session) })))
}

/// Logs in; the previous cookie becomes invalid.
async fn login(session: Session) -> Result<Json<Value>, SessionError> {
    session.change_id()?;
    session.set_principal(Some("ada"), None)?;
    Ok(Json(json!({ "key": key(&session) })))
}

async fn read(session: Session) -> Json<Value> {
    Json(json!({ "key": key(&session), "principal": session.principal(), "names": session.names() }))
}

async fn stats(State(cluster): State<Cluster>) -> Json<Value> {
    Json(json!({ "sessions": cluster.session_count(), "members": cluster.members().len() - 1 }))
}

fn key(session: &Session) -> Option<String> {
    session.key().map(|key| key.to_string())
}
