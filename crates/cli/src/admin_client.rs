//! Client of a node's admin pages, and the command line arguments that name the node.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use crate::admin_connection::AdminConnection;
pub(crate) use crate::admin_target::{AdminClient, AdminError};
use crate::failure::Failure;

/// Longest wait for a connection, and for a response.
const PATIENCE: Duration = Duration::from_secs(10);

/// Command line arguments that select a node.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct NodeArgument {
    /// Its configuration, or its name where NAME.toml is in this directory
    #[arg(value_name = "NODE")]
    node: Option<PathBuf>,
    /// Its configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl NodeArgument {
    pub(crate) fn client(&self) -> Result<AdminClient, Failure> {
        match (&self.config, &self.node) {
            (Some(file), _) => AdminClient::of(file),
            (None, Some(node)) => AdminClient::of(&file_of(node)?),
            (None, None) => Err(Failure::Usage("name a node or its configuration".to_owned())),
        }
    }
}

/// The configuration that NODE stands for.
pub(crate) fn file_of(node: &Path) -> Result<PathBuf, Failure> {
    if node.is_file() {
        return Ok(node.to_owned());
    }
    let named = PathBuf::from(format!("{}.toml", node.display()));
    if named.is_file() {
        return Ok(named);
    }
    let (node, named) = (node.display(), named.display());
    Err(Failure::Usage(format!(
        "there is neither a file {node} nor {named}; name the configuration of the node"
    )))
}

impl AdminClient {
    /// Sends a GET request.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, AdminError> {
        self.ask(Method::GET, path, Bytes::new(), PATIENCE).await
    }

    /// Sends a POST request whose response may take `at_most`.
    pub(crate) async fn post(&self, path: &str, at_most: Duration) -> Result<Value, AdminError> {
        self.send(path, Bytes::new(), at_most).await
    }

    /// Sends a POST request with `body` whose response may take `at_most`.
    pub(crate) async fn send(&self, path: &str, body: Bytes, at_most: Duration) -> Result<Value, AdminError> {
        self.ask(Method::POST, path, body, at_most + PATIENCE).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        at_most: Duration,
    ) -> Result<Value, AdminError> {
        let late = |at_most: Duration| self.failed(format!("no answer within {at_most:?}"));
        let opened = timeout(PATIENCE, AdminConnection::open(self)).await;
        let connection = opened.map_err(|_| late(PATIENCE))??;
        let asked = timeout(at_most, connection.send(method, path, body)).await;
        match asked.map_err(|_| late(at_most))?? {
            (StatusCode::OK, told) => Ok(told),
            (StatusCode::UNAUTHORIZED, _) => Err(self.unproven()),
            (status, told) => {
                Err(self.failed(told["error"].as_str().map_or_else(|| status.to_string(), str::to_owned)))
            }
        }
    }
}
