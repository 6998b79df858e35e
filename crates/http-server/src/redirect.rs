//! The port for plain HTTP beside one for HTTPS: it sends clients there, and serves the challenges of an ACME
//! client.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, LOCATION};
use http::uri::Authority;
use http::{Method, Response, StatusCode, request};
use http_body_util::Full;
use tokio::io::AsyncReadExt as _;

/// Where ACME servers look (RFC 8555, section 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";
/// Longest name and content of a challenge.
const CHALLENGE_BOUND: usize = 1024;

/// Sends clients to HTTPS.
#[derive(Debug, Clone)]
pub struct HttpsRedirect {
    port: u16,
    webroot: Option<PathBuf>,
}

impl HttpsRedirect {
    /// To this port; challenges are in `webroot`.
    #[must_use]
    pub fn new(port: u16, webroot: Option<PathBuf>) -> Self {
        Self { port, webroot }
    }

    /// Answers a request with this head.
    pub async fn answer(&self, head: &request::Parts) -> Response<Full<Bytes>> {
        let path = head.uri.path();
        if let Some((webroot, token)) = self.webroot.as_ref().zip(path.strip_prefix(CHALLENGES)) {
            return challenge(webroot.join(&CHALLENGES[1..]), token).await;
        }
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let location = self.location(&head.headers, target);
        let Some(location) = location.filter(|_| head.method != Method::CONNECT) else {
            return text(StatusCode::BAD_REQUEST, "a request names its host\n");
        };
        let mut response = text(StatusCode::PERMANENT_REDIRECT, "this site is served over HTTPS\n");
        response.headers_mut().insert(LOCATION, location);
        response
    }

    fn location(&self, headers: &HeaderMap, target: &str) -> Option<HeaderValue> {
        let authority: Authority = headers.get(HOST)?.to_str().ok()?.parse().ok()?;
        let host = authority.host();
        let place = if self.port == 443 { host.to_owned() } else { format!("{host}:{}", self.port) };
        HeaderValue::from_str(&format!("https://{place}{target}")).ok()
    }
}

async fn challenge(directory: PathBuf, token: &str) -> Response<Full<Bytes>> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let none = || text(StatusCode::NOT_FOUND, "no such challenge\n");
    if token.is_empty() || token.len() > CHALLENGE_BOUND || !token.bytes().all(allowed) {
        return none();
    }
    match read_bounded(&directory.join(token)).await {
        Ok(content) if content.len() <= CHALLENGE_BOUND => {
            let mut response = Response::new(Full::from(content));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            response
        }
        _ => none(),
    }
}

/// A file's content; of a longer one than a challenge is, one byte more than that.
async fn read_bounded(file: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = tokio::fs::File::open(file).await?;
    file.take(CHALLENGE_BOUND as u64 + 1).read_to_end(&mut content).await?;
    Ok(content)
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn location(port: u16, host: &str, target: &str) -> Option<String> {
        let request =
            http::Request::get(target).header(HOST, host).body(()).expect("a request").into_parts().0;
        let response =
            HttpsRedirect::new(port, None).answer(&request).now_or_never().expect("no file is read");
        response.headers().get(LOCATION).map(|location| location.to_str().expect("text").to_owned())
    }

    #[test]
    fn the_host_and_the_target_stay_and_the_port_is_the_one_for_https() {
        assert_eq!(location(443, "shop.example:80", "/a?b=c").as_deref(), Some("https://shop.example/a?b=c"));
        assert_eq!(location(8443, "[::1]:8080", "/").as_deref(), Some("https://[::1]:8443/"));
        assert_eq!(location(443, "user@evil", "/").as_deref(), Some("https://evil/"));
        assert_eq!(location(443, "a b", "/"), None);
    }

    #[tokio::test]
    async fn a_challenge_is_a_short_file_of_the_webroot() {
        let webroot = tempfile::tempdir().expect("a directory");
        let challenges = webroot.path().join(&CHALLENGES[1..]);
        std::fs::create_dir_all(&challenges).expect("a directory");
        for (token, length) in [("short", CHALLENGE_BOUND), ("long", CHALLENGE_BOUND + 1)] {
            std::fs::write(challenges.join(token), vec![b'x'; length]).expect("a file");
        }
        let redirect = HttpsRedirect::new(443, Some(webroot.path().to_owned()));
        for (token, status) in
            [("short", 200), ("long", 404), ("none", 404), ("", 404), ("..", 404), ("a%2fb", 404)]
        {
            let target = format!("http://shop{CHALLENGES}{token}");
            let head = http::Request::get(target).body(()).expect("a request").into_parts().0;
            assert_eq!(redirect.answer(&head).await.status(), status, "{token}");
        }
    }
}
