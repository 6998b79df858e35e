//! A connection to the admin pages of a node that has proven which node it is. No secret goes over it before
//! that, and the cluster's token never does.
//!
//! On one machine the Unix socket of the node is used: the system tells who listens there. Over TCP, node and
//! caller prove to each other that they have the token (`sessile::admin::node_proof`,
//! `sessile::admin::caller_proof`).

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sessile::admin::{admin_nonce, caller_proof, node_proof};
use sessile_apps::farm::DEPLOY_KEY_HEADER;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::admin_target::{AdminClient, AdminError};

/// A connection for one request.
pub(crate) struct AdminConnection<'a> {
    client: &'a AdminClient,
    sender: SendRequest<Full<Bytes>>,
    /// The token and the nonce of the node with which this side proves itself; none over the socket.
    proof: Option<(&'a str, String)>,
}

impl<'a> AdminConnection<'a> {
    /// Connects, and sees that the node itself listens.
    pub(crate) async fn open(client: &'a AdminClient) -> Result<Self, AdminError> {
        if let Some(sender) = local(client).await? {
            return Ok(Self { client, sender, proof: None });
        }
        let Some(address) = client.address else { return Err(client.not_running(None)) };
        let tcp = TcpStream::connect(address).await.map_err(|error| client.not_running(Some(&error)))?;
        let sender = handshake(client, tcp).await?;
        let mut connection = Self { client, sender, proof: None };
        connection.proof = Some(connection.challenge().await?);
        Ok(connection)
    }

    /// Sends one request and reads the answer.
    pub(crate) async fn send(
        mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Value), AdminError> {
        let mut request = self.request(&method, path);
        if let Some((token, nonce)) = &self.proof {
            let proof = caller_proof(token, &self.client.name, nonce, method.as_str(), path);
            request = request.header(AUTHORIZATION, format!("Sessile {nonce}:{proof}"));
        }
        if let Some(key) = &self.client.deploy_key {
            request = request.header(DEPLOY_KEY_HEADER, key.token());
        }
        self.exchange(request.body(Full::new(body))).await
    }

    /// Has the node prove that it is the node of this name and has the token. Gives the token and the node's
    /// nonce.
    async fn challenge(&mut self) -> Result<(&'a str, String), AdminError> {
        let own = admin_nonce().map_err(|error| self.client.failed(error.to_string()))?;
        let path = format!("/challenge?nonce={own}");
        let request = self.request(&Method::GET, &path).body(Full::default());
        let (status, told) = self.exchange(request).await?;
        let nonce = told["nonce"].as_str().unwrap_or_default();
        let is_proven = |token: &&String| {
            let right = node_proof(token, &self.client.name, &own, nonce);
            told["proofs"].as_array().into_iter().flatten().any(|proof| *proof == right)
        };
        match self.client.tokens.iter().find(is_proven) {
            Some(token) if status.is_success() => Ok((token, nonce.to_owned())),
            _ => Err(self.client.unproven()),
        }
    }

    fn request(&self, method: &Method, path: &str) -> http::request::Builder {
        let host = self.client.address.map_or_else(|| "localhost".to_owned(), |address| address.to_string());
        Request::builder().method(method).uri(path).header(HOST, host)
    }

    async fn exchange(
        &mut self,
        request: http::Result<Request<Full<Bytes>>>,
    ) -> Result<(StatusCode, Value), AdminError> {
        let failed = |error: &dyn std::fmt::Display| self.client.failed(error.to_string());
        let request = request.map_err(|error| failed(&error))?;
        // After one answer the connection takes the next request when it has read the answer's end.
        self.sender.ready().await.map_err(|error| failed(&error))?;
        let answer = self.sender.send_request(request).await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| failed(&error))?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

async fn handshake<S>(client: &AdminClient, stream: S) -> Result<SendRequest<Full<Bytes>>, AdminError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let made = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = made.map_err(|error| client.failed(error.to_string()))?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Over the node's socket, if somebody listens there: it must be this user, root, or the owner of the
/// cluster's secret.
#[cfg(unix)]
async fn local(client: &AdminClient) -> Result<Option<SendRequest<Full<Bytes>>>, AdminError> {
    use std::os::unix::fs::MetadataExt;

    let Some(path) = &client.socket else { return Ok(None) };
    let Ok(stream) = tokio::net::UnixStream::connect(path).await else { return Ok(None) };
    let listener = stream.peer_cred().map_err(|error| client.failed(error.to_string()))?.uid();
    let owner = std::fs::metadata(&client.config.cluster.secret_file).map(|file| file.uid());
    let trusted = [Some(0), Some(rustix::process::geteuid().as_raw()), owner.ok()];
    if !trusted.contains(&Some(listener)) {
        let path = path.display();
        let words =
            format!("the socket {path} belongs to the user {listener}, not to the node; nothing was sent");
        return Err(client.failed(words));
    }
    handshake(client, stream).await.map(Some)
}

/// This system has no such sockets.
#[cfg(not(unix))]
async fn local(_client: &AdminClient) -> Result<Option<SendRequest<Full<Bytes>>>, AdminError> {
    Ok(None)
}
