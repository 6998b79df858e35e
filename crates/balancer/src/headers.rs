//! The rewriting of heads: the headers of one hop end here, the client is named to the node, and the node
//! is told one host.
//!
//! Where a message ends is decided once, by the HTTP engine that read it; the framing headers are then
//! written anew for the other side. So a request that says it twice (`Transfer-Encoding` and
//! `Content-Length`) reaches a node saying it once.

use base64::Engine;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Uri;
use http::{Method, StatusCode, Version, request, response};
use hyper::ext::Protocol;
use sessile_http_server::{ClientInfo, forwarded};

use crate::error_response::ErrorResponse;

/// The header of a response to a request that the node did not process. It never reaches the client.
static UNPROCESSED: HeaderName = HeaderName::from_static("sessile-unprocessed");
static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// Tells the other side that the hop ends in a websocket.
static WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Makes a client's head ready for a node. `own` is the balancer's address, for clients that name no host.
pub(crate) fn prepare_request(
    head: &mut request::Parts,
    client: &ClientInfo,
    own: &HeaderValue,
) -> Result<(), ErrorResponse> {
    let websocket = wants_websocket(head);
    if head.method == Method::CONNECT {
        if !websocket {
            return Err(ErrorResponse::bad_request("CONNECT is for forward proxies; this is a balancer"));
        }
        from_extended_connect(head);
    }
    let takes_trailers = takes_trailers(&head.headers);
    check_framing(&head.headers)?;
    if head.headers.contains_key(TRANSFER_ENCODING) {
        head.headers.remove(CONTENT_LENGTH);
    }
    strip_hop(&mut head.headers);
    head.headers.remove(EXPECT);
    join_cookies(&mut head.headers);
    set_host(head, own)?;
    forwarded::hand_on(&mut head.headers, client);
    if websocket {
        ask_upgrade(&mut head.headers);
    } else if takes_trailers {
        head.headers.insert(TE, HeaderValue::from_static("trailers"));
        head.headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    head.version = Version::HTTP_11;
    Ok(())
}

/// Makes a node's head ready for a client that asked in this version.
pub(crate) fn prepare_response(head: &mut response::Parts, version: Version) {
    let websocket = head.status == StatusCode::SWITCHING_PROTOCOLS;
    if head.headers.contains_key(TRANSFER_ENCODING) {
        head.headers.remove(CONTENT_LENGTH);
    }
    strip_hop(&mut head.headers);
    head.headers.remove(&UNPROCESSED);
    if websocket && version == Version::HTTP_2 {
        // RFC 8441: the stream is the tunnel.
        head.status = StatusCode::OK;
        head.headers.remove(SEC_WEBSOCKET_ACCEPT);
    } else if websocket {
        ask_upgrade(&mut head.headers);
    }
    head.version = version;
}

/// Makes a websocket's head in HTTP/2 (RFC 8441) one in HTTP/1.1 (RFC 6455). The key proves to a client that
/// the other side understood it, and this client asked for none: any will do.
fn from_extended_connect(head: &mut request::Parts) {
    use std::hash::{BuildHasher, RandomState};
    head.method = Method::GET;
    let halves = [0, 1].map(|half: u8| RandomState::new().hash_one(half).to_be_bytes());
    let key = base64::engine::general_purpose::STANDARD.encode(halves.concat());
    if let Ok(key) = HeaderValue::from_str(&key) {
        head.headers.insert(SEC_WEBSOCKET_KEY, key);
    }
    head.headers.entry(SEC_WEBSOCKET_VERSION).or_insert(HeaderValue::from_static("13"));
}

/// Whether a client says that it takes trailers.
fn takes_trailers(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(TE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// One `Cookie` line: HTTP/2 may send one for each cookie (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let lines: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// Whether a node says that it did not process the request.
pub(crate) fn says_unprocessed(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::SERVICE_UNAVAILABLE && headers.get(&UNPROCESSED).is_some_and(|value| value == "1")
}

/// Whether a client asks to go on as a websocket. Other protocols are not offered to the node: `h2c` would
/// carry requests past everything that is decided here.
pub(crate) fn wants_websocket(head: &request::Parts) -> bool {
    let is_extended = head.method == Method::CONNECT
        && head.extensions.get::<Protocol>().is_some_and(|protocol| protocol.as_str() == "websocket");
    is_extended
        || head.version == Version::HTTP_11
            && head
                .headers
                .get(UPGRADE)
                .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
            && named_by_connection(&head.headers).any(|name| name.eq_ignore_ascii_case("upgrade"))
}

fn ask_upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, WEBSOCKET.clone());
}

fn named_by_connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// Removes the headers that concern this connection only: the known ones, and those that `Connection` names
/// (but for the ones that say where the message goes and ends).
fn strip_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> =
            named_by_connection(headers).filter_map(|name| name.parse().ok()).collect();
        for name in named.iter().filter(|name| **name != HOST && **name != CONTENT_LENGTH) {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in [
        &KEEP_ALIVE,
        &PROXY_AUTHENTICATE,
        &PROXY_AUTHORIZATION,
        &PROXY_CONNECTION,
        &TE,
        &TRANSFER_ENCODING,
        &UPGRADE,
    ] {
        headers.remove(name);
    }
}

/// One host and an origin-form target: that of an absolute target if there is one, else the `Host` header.
fn set_host(head: &mut request::Parts, own: &HeaderValue) -> Result<(), ErrorResponse> {
    if let Some(authority) = head.uri.authority() {
        if head.uri.scheme().is_none() {
            return Err(ErrorResponse::bad_request("the target is an authority, which only CONNECT has"));
        }
        let host = authority.as_str();
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let host = HeaderValue::from_str(host)
            .map_err(|_| ErrorResponse::bad_request("the target names no usable host"))?;
        head.headers.insert(HOST, host);
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri =
            path.parse::<Uri>().map_err(|_| ErrorResponse::bad_request("the target has no usable path"))?;
        return Ok(());
    }
    match head.headers.get_all(HOST).iter().count() {
        1 => check_host(&head.headers),
        0 if head.version == Version::HTTP_10 => {
            head.headers.insert(HOST, own.clone());
            Ok(())
        }
        0 => Err(ErrorResponse::bad_request("an HTTP/1.1 request has a Host header")),
        _ => Err(ErrorResponse::bad_request("a request has one Host header")),
    }
}

/// A host is that of an authority. Who serves several sites by their names, and how a name with a blank or a
/// comma is read, differs from server to server.
fn check_host(headers: &HeaderMap) -> Result<(), ErrorResponse> {
    let host = headers.get(HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(byte);
    if !host.iter().all(is_plain) || http::uri::Authority::try_from(host).is_err() {
        return Err(ErrorResponse::bad_request("the Host header is no host"));
    }
    Ok(())
}

/// The only coding of a transfer that is taken off here is one `chunked`. Any other would be lost on the way:
/// the node would take a compressed body for a plain one.
fn check_framing(headers: &HeaderMap) -> Result<(), ErrorResponse> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if is_chunked(coding) => Ok(()),
        _ => Err(ErrorResponse::new(
            StatusCode::NOT_IMPLEMENTED,
            "the Transfer-Encoding is other than one `chunked`",
            false,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(request: http::Request<()>) -> Result<request::Parts, ErrorResponse> {
        let mut head = request.into_parts().0;
        let address = ([10, 0, 0, 7], 4711).into();
        let client = ClientInfo { address, local: address, is_tls: false, is_trusted: false };
        prepare_request(&mut head, &client, &HeaderValue::from_static("lb:8080"))?;
        Ok(head)
    }

    #[test]
    fn headers_of_one_hop_end_here() {
        let head = prepared(
            http::Request::get("/x")
                .header("host", "shop")
                .header("connection", "close, X-Private, host")
                .header("x-private", "1")
                .header("keep-alive", "timeout=5")
                .header("te", "trailers")
                .header("upgrade", "h2c")
                .header("proxy-authorization", "x")
                .header("accept", "a/b")
                .body(())
                .unwrap(),
        )
        .unwrap();
        let mut names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "accept",
                "connection",
                "forwarded",
                "host",
                "te",
                "x-forwarded-for",
                "x-forwarded-host",
                "x-forwarded-proto"
            ]
        );
    }

    #[test]
    fn a_websocket_of_http_2_is_asked_for_as_in_http_1() {
        let mut request =
            http::Request::builder().method(Method::CONNECT).uri("https://shop/ws?a").body(()).unwrap();
        *request.version_mut() = Version::HTTP_2;
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        request.headers_mut().append(COOKIE, HeaderValue::from_static("a=1"));
        request.headers_mut().append(COOKIE, HeaderValue::from_static("b=2"));
        let head = prepared(request).unwrap();
        assert_eq!(
            (head.method, head.uri.to_string().as_str(), head.version),
            (Method::GET, "/ws?a", Version::HTTP_11)
        );
        let header = |name: &str| head.headers[name].to_str().unwrap();
        assert_eq!(
            (header("upgrade"), header("connection"), header("host")),
            ("websocket", "upgrade", "shop")
        );
        assert_eq!((header("cookie"), header("sec-websocket-version")), ("a=1; b=2", "13"));
        assert_eq!(header("sec-websocket-key").len(), 24);
        let mut other = http::Request::builder().method(Method::CONNECT).uri("shop:443").body(()).unwrap();
        *other.version_mut() = Version::HTTP_2;
        assert!(prepared(other).is_err());
    }

    #[test]
    fn a_coding_that_would_be_lost_and_a_host_that_is_none_are_refused() {
        let with = |name: &str, value: &str| {
            let request = http::Request::post("/").header(name, value);
            let request = if name == "host" { request } else { request.header("host", "shop") };
            prepared(request.body(()).unwrap())
        };
        for coding in ["chunked, chunked", "gzip, chunked", "x", "identity", "\"chunked\"", ""] {
            assert!(with("transfer-encoding", coding).is_err(), "{coding:?}");
        }
        assert!(with("transfer-encoding", "Chunked").is_ok());
        for host in ["", "a b", "a, b", "a/b", "user@a", "a#b", "a\\b"] {
            assert!(with("host", host).is_err(), "{host:?}");
        }
        for host in ["shop", "shop:81", "[::1]:81", "127.0.0.1", "xn--bcher-kva.example."] {
            assert!(with("host", host).is_ok(), "{host:?}");
        }
    }

    #[test]
    fn an_absolute_target_decides_the_host() {
        let request = http::Request::get("http://user@shop:81/a?b").header("host", "other").body(()).unwrap();
        let head = prepared(request).unwrap();
        assert_eq!(
            (head.uri.to_string().as_str(), &head.headers["host"]),
            ("/a?b", &HeaderValue::from_static("shop:81"))
        );
    }

    #[test]
    fn a_target_that_is_an_authority_is_refused() {
        assert!(prepared(http::Request::get("d;7924").header("host", "a").body(()).unwrap()).is_err());
    }

    #[test]
    fn only_http_1_0_may_leave_the_host_out() {
        assert!(prepared(http::Request::get("/").body(()).unwrap()).is_err());
        let twice = http::Request::get("/").header("host", "a").header("host", "b").body(()).unwrap();
        assert!(prepared(twice).is_err());
        let old = http::Request::get("/").version(Version::HTTP_10).body(()).unwrap();
        assert_eq!(prepared(old).unwrap().headers["host"], "lb:8080");
    }

    #[test]
    fn only_websockets_are_asked_for() {
        let ask = |upgrade: &str| {
            let request =
                http::Request::get("/").header("host", "a").header("connection", "Keep-Alive, Upgrade");
            prepared(request.header("upgrade", upgrade).body(()).unwrap()).unwrap().headers
        };
        assert_eq!(ask("WebSocket")["upgrade"], "websocket");
        assert_eq!(ask("WebSocket")["connection"], "upgrade");
        assert!(!ask("h2c").contains_key("upgrade") && !ask("h2c").contains_key("connection"));
    }
}
