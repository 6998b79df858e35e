//! Client of a node's admin port: address and token follow from the node's configuration.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sessile::Config;
use sessile::admin::admin_tokens;
use sessile_apps::farm::{DEPLOY_KEY_HEADER, DeployKey};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::failure::Failure;
use crate::secret_file;

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

/// A node's admin port and the tokens that it may want.
#[derive(Clone, Debug)]
pub(crate) struct AdminClient {
    /// The node's name.
    pub(crate) name: String,
    pub(crate) config: Config,
    address: SocketAddr,
    tokens: Vec<String>,
    /// Sent with every request if the configuration has one.
    deploy_key: Option<DeployKey>,
}

/// Why an admin request failed.
#[derive(Debug)]
pub(crate) enum AdminError {
    NotRunning(String),
    Failed(String),
}

impl From<AdminError> for Failure {
    fn from(none: AdminError) -> Self {
        match none {
            AdminError::NotRunning(words) | AdminError::Failed(words) => Self::Failed(words),
        }
    }
}

impl AdminClient {
    /// The client of the node that `file` configures.
    pub(crate) fn of(file: &Path) -> Result<Self, Failure> {
        let (config, _) = Config::check(file)?;
        let (name, shown) = (config.node.name.clone(), file.display());
        let Some(listen) = config.admin.listen else {
            let remedy =
                format!("add for example\n\n    [admin]\n    listen = 9005\n\nto {shown} and restart it");
            return Err(Failure::Failed(format!("{name} has no admin port: {remedy}")));
        };
        if listen.port() == 0 {
            let words = format!(
                "the admin port of {name} is chosen by the system ([admin] listen in {shown} is port 0): set a fixed port"
            );
            return Err(Failure::Failed(words));
        }
        let secrets = secret_file::load(&config.cluster.secret_file)?;
        let tokens = admin_tokens(&secrets, &config.cluster.name);
        Ok(Self { name, address: reachable(listen), tokens, config, deploy_key: None })
    }

    /// The same client, which sends the deploy key too.
    pub(crate) fn with_deploy_key(self, deploy_key: Option<DeployKey>) -> Self {
        Self { deploy_key, ..self }
    }

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
        if body.is_empty() {
            return self.ask(Method::POST, path, body, at_most + PATIENCE).await;
        }
        // A client that is still sending a body may not read the 401 response: find the accepted token first.
        let known = Self { tokens: vec![self.accepted_token().await?], ..self.clone() };
        known.ask(Method::POST, path, body, at_most + PATIENCE).await
    }

    /// The token that the node accepts. During a secret rotation it may be any of the known tokens.
    async fn accepted_token(&self) -> Result<String, AdminError> {
        for token in &self.tokens {
            let asked = timeout(PATIENCE, self.ask_with(token, Method::GET, "/members", Bytes::new())).await;
            let (status, _) = asked.map_err(|_| self.failed(format!("no answer within {PATIENCE:?}")))??;
            if status != StatusCode::UNAUTHORIZED {
                return Ok(token.clone());
            }
        }
        Err(self.unauthorized())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        at_most: Duration,
    ) -> Result<Value, AdminError> {
        let mut refused = None;
        // During a secret rotation, the node may not have reloaded the file yet.
        for token in &self.tokens {
            let asked = timeout(at_most, self.ask_with(token, method.clone(), path, body.clone())).await;
            let answered = asked.map_err(|_| self.failed(format!("no answer within {at_most:?}")))??;
            match answered {
                (StatusCode::OK, told) => return Ok(told),
                (StatusCode::UNAUTHORIZED, _) => refused = Some(self.unauthorized()),
                (status, told) => {
                    let words = told["error"].as_str().map_or_else(|| status.to_string(), str::to_owned);
                    return Err(self.failed(words));
                }
            }
        }
        Err(refused.unwrap_or_else(|| self.unauthorized()))
    }

    async fn ask_with(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Value), AdminError> {
        let failed = |error: &dyn std::fmt::Display| self.failed(error.to_string());
        let tcp = TcpStream::connect(self.address).await.map_err(|error| self.not_running(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(tcp)).await.map_err(|error| failed(&error))?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {token}"));
        if let Some(key) = &self.deploy_key {
            request = request.header(DEPLOY_KEY_HEADER, key.token());
        }
        let request = request.body(Full::new(body)).map_err(|error| failed(&error))?;
        let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| failed(&error))?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    fn not_running(&self, error: &std::io::Error) -> AdminError {
        let (name, address) = (&self.name, self.address);
        AdminError::NotRunning(format!(
            "{name} is not running: no connection to its admin port {address} ({error})"
        ))
    }

    fn unauthorized(&self) -> AdminError {
        let file = self.config.cluster.secret_file.display();
        self.failed(format!(
            "the node refused the token: it runs with another secret than {file}, or with another [cluster] name"
        ))
    }

    fn failed(&self, words: String) -> AdminError {
        AdminError::Failed(format!("{} (admin port {}): {words}", self.name, self.address))
    }
}

/// The address to connect to where a node listens at `listen`.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
