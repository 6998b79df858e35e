//! A client's connection: HTTP/1.1 with keep-alive, opened again when it was lost.
//!
//! The waiting caller polls the connection itself, without another task, so a measured time includes no
//! wake-up of another task.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CONTENT_LENGTH, COOKIE, HOST, SET_COOKIE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Response headers of nodes.
const RECEIPT: &str = "sessile-receipt";
const UNPROCESSED: &str = "sessile-unprocessed";

/// A connection to one address.
#[derive(Debug)]
pub(crate) struct Connection {
    at: SocketAddr,
    patience: Duration,
    open: Option<LiveConnection>,
}

/// An open connection: `sender` takes requests, `carrier` drives the connection while it is polled.
#[derive(Debug)]
struct LiveConnection {
    sender: SendRequest<Empty<Bytes>>,
    carrier: http1::Connection<TokioIo<TcpStream>, Empty<Bytes>>,
    /// The carrier has not finished.
    up: bool,
}

/// The response.
#[derive(Debug)]
pub(crate) struct ClientResponse {
    pub(crate) status: StatusCode,
    /// The first cookie that the response sets, as `name=value`.
    pub(crate) cookie: Option<String>,
    pub(crate) body: Bytes,
    /// The replication receipt, if the node sends one.
    pub(crate) receipt: Option<String>,
    /// The node says that it did not process the request.
    pub(crate) unprocessed: bool,
    /// From the first byte sent to the last byte read, without connecting.
    pub(crate) took: Duration,
}

/// No complete response: the outcome of the request is unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("no answer in time")]
    Late,
    /// The request was never sent.
    #[error("no connection: {0}")]
    Unconnected(std::io::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Request(#[from] http::Error),
}

impl Connection {
    pub(crate) fn new(at: SocketAddr) -> Self {
        Self { at, patience: PATIENCE, open: None }
    }

    /// A connection with a response timeout.
    pub(crate) fn with_patience(at: SocketAddr, patience: Duration) -> Self {
        Self { patience, ..Self::new(at) }
    }

    /// Sends a request with an empty body. After an error the next request goes over a new connection.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        target: &str,
        cookie: Option<&str>,
    ) -> Result<ClientResponse, ConnectionError> {
        let answered = timeout(self.patience, self.exchange(method, target, cookie)).await;
        let answered = answered.unwrap_or(Err(ConnectionError::Late));
        if answered.is_err() {
            self.open = None;
        }
        answered
    }

    async fn exchange(
        &mut self,
        method: Method,
        target: &str,
        cookie: Option<&str>,
    ) -> Result<ClientResponse, ConnectionError> {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, self.at.to_string())
            .header(CONTENT_LENGTH, 0);
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Empty::new())?;
        let mut open = match self.open.take().and_then(LiveConnection::if_up) {
            Some(open) => open,
            None => LiveConnection::to(self.at).await?,
        };
        let answer = open.carry(request).await?;
        self.open = Some(open);
        Ok(answer)
    }
}

impl LiveConnection {
    async fn to(at: SocketAddr) -> Result<Self, ConnectionError> {
        let tcp = TcpStream::connect(at).await.map_err(ConnectionError::Unconnected)?;
        tcp.set_nodelay(true)?;
        let (sender, carrier) = http1::handshake(TokioIo::new(tcp)).await?;
        Ok(Self { sender, carrier, up: true })
    }

    /// Checks without waiting whether the peer has closed the connection.
    fn if_up(mut self) -> Option<Self> {
        (self.up && (&mut self.carrier).now_or_never().is_none()).then_some(self)
    }

    async fn carry(&mut self, request: Request<Empty<Bytes>>) -> Result<ClientResponse, ConnectionError> {
        let Self { sender, carrier, up } = self;
        let mut answer = pin!(async {
            sender.ready().await?;
            let began = Instant::now();
            ClientResponse::read(sender.send_request(request).await?, began).await
        });
        tokio::select! {
            biased;
            answer = answer.as_mut() => answer,
            // The connection may have ended cleanly with this response as its last.
            _ended = carrier => {
                *up = false;
                answer.await
            }
        }
    }
}

impl ClientResponse {
    async fn read(response: Response<Incoming>, began: Instant) -> Result<Self, ConnectionError> {
        let (head, body) = response.into_parts();
        let set = head.headers.get(SET_COOKIE).and_then(|set| set.to_str().ok());
        let cookie = set.and_then(|set| set.split(';').next()).map(str::to_owned);
        let receipt = head.headers.get(RECEIPT).and_then(|receipt| receipt.to_str().ok()).map(str::to_owned);
        let unprocessed = head.headers.contains_key(UNPROCESSED);
        let body = body.collect().await?.to_bytes();
        Ok(Self { status: head.status, cookie, body, receipt, unprocessed, took: began.elapsed() })
    }

    /// Body and status as a text for people.
    pub(crate) fn words(&self) -> String {
        format!("{}: {}", self.status, String::from_utf8_lossy(&self.body).trim())
    }
}
