//! A client of the web server: one request a connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::web_server::WebServer;

/// Longest wait for a byte.
const SILENCE: Duration = Duration::from_secs(60);

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Its end came.
    pub(crate) is_complete: bool,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn parse(bytes: &[u8], has_body: bool) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| {
            panic!("no whole head: {}", String::from_utf8_lossy(bytes));
        });
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let rest = &bytes[end + 4..];
        let mut answer = Self { status, headers, body: rest.to_vec(), is_complete: true };
        if answer.header("transfer-encoding") == Some("chunked") {
            (answer.body, answer.is_complete) = unchunked(rest);
        } else if let Some(length) = answer.header("content-length").filter(|_| has_body) {
            answer.is_complete = length.parse() == Ok(rest.len());
        }
        answer
    }
}

/// Asks by HTTP/1.0, so that the web server does not cut the body into chunks.
#[track_caller]
pub(crate) fn ask(
    server: &WebServer,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> Answer {
    let answer = exchange(server, "HTTP/1.0", method, path, headers, body);
    assert!(answer.is_complete, "{method} {path} of {server:?}: {} bytes", answer.body.len());
    answer
}

#[track_caller]
pub(crate) fn ask_http_11(
    server: &WebServer,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> Answer {
    exchange(server, "HTTP/1.1", method, path, headers, body)
}

/// The first bytes of a body, as many as `wanted` has; then the client is gone.
pub(crate) fn first_bytes(server: &WebServer, path: &str, wanted: &[u8]) -> String {
    let mut tcp = connect(server, "HTTP/1.0", "GET", path, &[]);
    let mut bytes = Vec::new();
    let mut part = [0; 256];
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n")
            && bytes.len() >= at + 4 + wanted.len()
        {
            return String::from_utf8(bytes.split_off(at + 4)).unwrap();
        }
        let length = tcp.read(&mut part).expect("the first bytes come");
        assert!(length > 0, "the response ended");
        bytes.extend_from_slice(&part[..length]);
    }
}

fn exchange(
    server: &WebServer,
    version: &str,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> Answer {
    let mut tcp = connect(server, version, method, path, headers);
    let mut writer = tcp.try_clone().unwrap();
    let mut bytes = Vec::new();
    std::thread::scope(|scope| {
        // A response may come before all of the body is taken.
        scope.spawn(move || drop(writer.write_all(body)));
        // A reset after the response is the end as well.
        let _ = tcp.read_to_end(&mut bytes);
    });
    Answer::parse(&bytes, method != "HEAD")
}

fn connect(
    server: &WebServer,
    version: &str,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
) -> TcpStream {
    let mut tcp = TcpStream::connect(server.at).unwrap();
    tcp.set_read_timeout(Some(SILENCE)).unwrap();
    let mut head = format!("{method} {path} {version}\r\nhost: {}\r\nconnection: close\r\n", server.at);
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    tcp.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    tcp
}

/// The body of chunks, and whether its end came.
fn unchunked(mut chunks: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(line) = chunks.windows(2).position(|window| window == b"\r\n") {
        let Some(size) =
            std::str::from_utf8(&chunks[..line]).ok().and_then(|text| usize::from_str_radix(text, 16).ok())
        else {
            return (body, false);
        };
        if size == 0 {
            return (body, true);
        }
        let Some(chunk) = chunks.get(line + 2..line + 2 + size) else { return (body, false) };
        body.extend_from_slice(chunk);
        chunks = chunks.get(line + 4 + size..).unwrap_or_default();
    }
    (body, false)
}
