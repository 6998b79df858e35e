//! A browser: one connection a request, one cookie.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Secrets;

/// Longest wait for a byte of an answer.
const SILENCE: Duration = Duration::from_secs(60);

/// Keeps the last cookie it was given and sends it along, to whatever node it asks.
#[derive(Debug)]
pub(crate) struct Client {
    /// `name=value`.
    pub(crate) cookie: Option<String>,
    secrets: Secrets,
}

/// The response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Client {
    /// The client's cookies are searched in the output of all processes, see [`Secrets`].
    pub(crate) fn new(secrets: Secrets) -> Self {
        Self { cookie: None, secrets }
    }

    /// Sends a GET request and expects a response.
    #[track_caller]
    pub(crate) fn get(&mut self, at: SocketAddr, path: &str) -> Answer {
        self.send(at, "GET", path, &[]).unwrap_or_else(|error| panic!("GET {path} at {at}: {error}"))
    }

    /// Sends an empty body and expects an answer.
    #[track_caller]
    pub(crate) fn post(&mut self, at: SocketAddr, path: &str) -> Answer {
        self.send(at, "POST", path, &[]).unwrap_or_else(|error| panic!("POST {path} at {at}: {error}"))
    }

    /// Sends a request with an empty body and these headers, takes the cookie of its answer.
    pub(crate) fn send(
        &mut self,
        at: SocketAddr,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> io::Result<Answer> {
        self.exchange(at, &format!("{method} {path}"), headers, "")
    }

    /// Sends a form as a browser does.
    pub(crate) fn submit(&mut self, at: SocketAddr, path: &str, form: &str) -> io::Result<Answer> {
        let headers = [
            ("accept", "text/html"),
            ("origin", &*format!("http://{at}")),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.exchange(at, &format!("POST {path}"), &headers, form)
    }

    fn exchange(
        &mut self,
        at: SocketAddr,
        request: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Answer> {
        let mut head = format!("{request} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n");
        let cookie = self.cookie.as_deref().map(|cookie| ("cookie", cookie));
        for (name, value) in headers.iter().copied().chain(cookie) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let mut tcp = TcpStream::connect(at)?;
        tcp.set_read_timeout(Some(SILENCE))?;
        tcp.write_all(head.as_bytes())?;
        let mut bytes = Vec::new();
        tcp.read_to_end(&mut bytes)?;
        let answer = Answer::parse(&bytes)?;
        self.take_cookie(&answer);
        Ok(answer)
    }

    fn take_cookie(&mut self, answer: &Answer) {
        let Some(set) = answer.header("set-cookie") else { return };
        let pair = set.split(';').next().unwrap_or_default().trim().to_owned();
        if pair.ends_with('=') {
            self.cookie = None;
        } else {
            self.secrets.learn_cookie(&pair);
            self.cookie = Some(pair);
        }
    }
}

impl Answer {
    /// Reads a whole answer of a connection that was closed after it.
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let broken = |what: &str| io::Error::new(ErrorKind::InvalidData, format!("{what}: {bytes:?}"));
        let text = std::str::from_utf8(bytes).map_err(|_| broken("no text"))?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| broken("no whole head"))?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let answer =
            Self { status: status.ok_or_else(|| broken("no status"))?, headers, text: body.to_owned() };
        let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
        match length {
            Some(length) if body.len() == length => Ok(answer),
            Some(_) => Err(io::Error::from(ErrorKind::UnexpectedEof)),
            None if answer.header("transfer-encoding") == Some("chunked") => {
                let text = whole(body).ok_or_else(|| broken("no whole chunks"))?;
                Ok(Self { text, ..answer })
            }
            None => Err(broken("no content-length")),
        }
    }

    /// The first header of this name, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Whether connections to the address are refused.
pub(crate) fn is_refused(at: SocketAddr) -> bool {
    matches!(TcpStream::connect(at), Err(error) if error.kind() == ErrorKind::ConnectionRefused)
}

/// Decodes a chunked body; `None` if it is incomplete.
fn whole(mut chunks: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, rest) = chunks.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return (rest == "\r\n").then_some(body);
        }
        body.push_str(rest.get(..size)?);
        chunks = rest.get(size..)?.strip_prefix("\r\n")?;
    }
}
