//! The HTTP client of load measurements: one HTTP/1.1 connection with a minimal parser, because it shares the
//! cores with the nodes. It keeps the last cookie that it received.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of a response head.
const HEAD_BOUND: usize = 64 * 1024;
/// Most bytes of an answer.
const BODY_BOUND: usize = 64 << 20;

/// A keep-alive connection with its cookie.
#[derive(Debug)]
pub(super) struct LightClient {
    at: SocketAddr,
    tcp: Option<TcpStream>,
    cookie: Option<String>,
    buffer: Vec<u8>,
}

/// The response.
#[derive(Debug)]
pub(super) struct LightResponse<'b> {
    pub(super) status: u16,
    pub(super) body: &'b [u8],
}

/// No usable response: the outcome of the request is unknown.
#[derive(Debug, thiserror::Error)]
pub(super) enum LightClientError {
    #[error("no answer within {PATIENCE:?}")]
    Late,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the connection ended in the middle of an answer")]
    Cut,
    #[error("a response that this client cannot parse: {0}")]
    Strange(&'static str),
}

/// The needed parts of a response head.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Length of the head in bytes: the body begins there.
    length: usize,
    body: usize,
    cookie: Option<String>,
}

impl LightClient {
    /// A client of the server at `at`; it connects with its first request.
    pub(super) fn new(at: SocketAddr) -> Self {
        Self { at, tcp: None, cookie: None, buffer: Vec::with_capacity(4 * 1024) }
    }

    /// The same session at another server, over a connection of its own.
    pub(super) fn at_other(&self, at: SocketAddr) -> Self {
        Self { cookie: self.cookie.clone(), ..Self::new(at) }
    }

    /// Drops the cookie and keeps the connection.
    pub(super) fn forget(&mut self) {
        self.cookie = None;
    }

    /// Sends a request with an empty body. After an error the next one goes over a new connection.
    pub(super) async fn send(
        &mut self,
        method: &str,
        target: &str,
    ) -> Result<LightResponse<'_>, LightClientError> {
        let exchanged =
            timeout(PATIENCE, self.exchange(method, target)).await.unwrap_or(Err(LightClientError::Late));
        let head = exchanged.inspect_err(|_| self.tcp = None)?;
        Ok(LightResponse { status: head.status, body: &self.buffer[head.length..head.length + head.body] })
    }

    async fn exchange(&mut self, method: &str, target: &str) -> Result<Head, LightClientError> {
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n", self.at);
        if let Some(cookie) = &self.cookie {
            request.extend(["Cookie: ", cookie, "\r\n"]);
        }
        request.push_str("\r\n");
        let tcp = match &mut self.tcp {
            Some(tcp) => tcp,
            none => {
                let tcp = TcpStream::connect(self.at).await?;
                tcp.set_nodelay(true)?;
                none.insert(tcp)
            }
        };
        tcp.write_all(request.as_bytes()).await?;
        let head = read(tcp, &mut self.buffer).await?;
        if head.cookie.is_some() {
            self.cookie.clone_from(&head.cookie);
        }
        Ok(head)
    }
}

/// Reads one answer, whole.
async fn read(tcp: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Head, LightClientError> {
    buffer.clear();
    let head = loop {
        more(tcp, buffer).await?;
        match parse(buffer)? {
            Some(head) => break head,
            None if buffer.len() > HEAD_BOUND => {
                return Err(LightClientError::Strange("a head without an end"));
            }
            None => {}
        }
    };
    while buffer.len() < head.length + head.body {
        more(tcp, buffer).await?;
    }
    Ok(head)
}

async fn more(tcp: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(), LightClientError> {
    if tcp.read_buf(buffer).await? == 0 {
        return Err(LightClientError::Cut);
    }
    Ok(())
}

/// Parses the head; `None` while it is incomplete.
fn parse(bytes: &[u8]) -> Result<Option<Head>, LightClientError> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end])
        .map_err(|_| LightClientError::Strange("a head that is not UTF-8"))?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|first| first.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let status = status.ok_or(LightClientError::Strange("no status"))?;
    let (mut body, mut cookie) = (None, None);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            body = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("set-cookie") && cookie.is_none() {
            cookie = value.split(';').next().map(|pair| pair.trim().to_owned());
        }
    }
    let body = body.filter(|body| *body <= BODY_BOUND);
    let body = body.ok_or(LightClientError::Strange("no Content-Length, or too large a one"))?;
    Ok(Some(Head { status, length: end + 4, body, cookie }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_head_is_not_parsed() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nSet-Cookie: sid=a.tc01; Path=/\r\n\r\n{}";
        assert_eq!(parse(&answer[..40]).unwrap(), None);
        let head = parse(answer).unwrap().unwrap();
        assert_eq!((head.status, head.body, head.cookie.as_deref()), (200, 2, Some("sid=a.tc01")));
        assert_eq!(&answer[head.length..], b"{}");
    }

    #[test]
    fn an_answer_of_unknown_length_is_an_error() {
        assert!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").is_err());
        assert!(parse(b"nonsense\r\n\r\n").is_err());
    }
}
