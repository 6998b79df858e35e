//! One plain HTTP request and its response, for requests of a scenario itself.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The response.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) cookie: Option<String>,
    pub(crate) body: String,
}

/// Sends a request on a new connection.
pub(crate) fn ask(
    host: Ipv4Addr,
    port: u16,
    method: &str,
    target: &str,
    cookie: Option<&str>,
) -> Result<HttpResponse> {
    let at = SocketAddr::from((host, port));
    let mut socket = TcpStream::connect_timeout(&at, PATIENCE).with_context(|| format!("http://{at}"))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let cookie = cookie.map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {at}\r\n{cookie}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(head.as_bytes())?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).with_context(|| format!("http://{at}{target}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a body")?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .context("an answer without a status")?;
    let set = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("set-cookie")
            .then(|| value.split(';').next().unwrap_or_default().trim().to_owned())
    });
    Ok(HttpResponse { status, cookie: set, body: body.to_owned() })
}

/// The sum of all samples of a metric over its labels; 0 if absent.
pub(crate) fn metric(host: Ipv4Addr, name: &str) -> Result<f64> {
    let answer = ask(host, 9005, "GET", "/metrics", None)?;
    let is_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
    let values =
        answer.body.lines().filter(is_it).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    Ok(values.sum())
}
