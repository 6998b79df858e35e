//! A client's connection: HTTP/1.1 with keep-alive, opened again when it was lost.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
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

/// A connection to one address.
#[derive(Debug)]
pub(super) struct Connection {
    at: SocketAddr,
    sender: Option<SendRequest<Empty<Bytes>>>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The first `name=value` that was set.
    pub(super) cookie: Option<String>,
    pub(super) body: Bytes,
}

/// Nothing came back, or not all of it: what became of the request is unknown.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("no answer in time")]
    Late,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Request(#[from] http::Error),
}

impl Connection {
    pub(super) fn new(at: SocketAddr) -> Self {
        Self { at, sender: None }
    }

    /// Sends a request with an empty body. After an error the next request goes over a new connection.
    pub(super) async fn send(
        &mut self,
        method: Method,
        target: &str,
        cookie: Option<&str>,
    ) -> Result<Answer, NoAnswer> {
        let answered = timeout(PATIENCE, self.exchange(method, target, cookie)).await;
        let answered = answered.unwrap_or(Err(NoAnswer::Late));
        if answered.is_err() {
            self.sender = None;
        }
        answered
    }

    async fn exchange(
        &mut self,
        method: Method,
        target: &str,
        cookie: Option<&str>,
    ) -> Result<Answer, NoAnswer> {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, self.at.to_string())
            .header(CONTENT_LENGTH, 0);
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Empty::new())?;
        let mut sender = match self.sender.take() {
            Some(sender) if sender.is_ready() => sender,
            _ => self.open().await?,
        };
        let answer = Answer::read(sender.send_request(request).await?).await?;
        self.sender = Some(sender);
        Ok(answer)
    }

    async fn open(&self) -> Result<SendRequest<Empty<Bytes>>, NoAnswer> {
        let tcp = TcpStream::connect(self.at).await?;
        tcp.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
        // Its end is seen by the request that it breaks.
        tokio::spawn(async move { drop(connection.await) });
        sender.ready().await?;
        Ok(sender)
    }
}

impl Answer {
    async fn read(response: Response<Incoming>) -> Result<Self, NoAnswer> {
        let (head, body) = response.into_parts();
        let set = head.headers.get(SET_COOKIE).and_then(|set| set.to_str().ok());
        let cookie = set.and_then(|set| set.split(';').next()).map(str::to_owned);
        Ok(Self { status: head.status, cookie, body: body.collect().await?.to_bytes() })
    }

    /// Body and status as a text for people.
    pub(super) fn words(&self) -> String {
        format!("{}: {}", self.status, String::from_utf8_lossy(&self.body).trim())
    }
}
