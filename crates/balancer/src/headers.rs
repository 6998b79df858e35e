//! What a proxy does to heads: the headers of one hop end here, the client is named to the node, and the node
//! is told one host.
//!
//! Where a message ends is decided once, by the HTTP engine that read it; the framing headers are then
//! written anew for the other side. So a request that says it twice (`Transfer-Encoding` and
//! `Content-Length`) reaches a node saying it once.

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Uri;
use http::{Method, StatusCode, Version, request, response};

use crate::error_response::ErrorResponse;

/// What a node says with a request that it did not process; the balancer's affair, not the client's.
static UNPROCESSED: HeaderName = HeaderName::from_static("sessile-unprocessed");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// Tells the other side that the hop ends in a websocket.
static WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Makes a client's head ready for a node. `own` is the balancer's address, for clients that name no host.
pub(crate) fn prepare_request(
    head: &mut request::Parts,
    client: IpAddr,
    own: &HeaderValue,
) -> Result<(), ErrorResponse> {
    if head.method == Method::CONNECT {
        return Err(ErrorResponse::bad_request("CONNECT is for forward proxies; this is a balancer"));
    }
    let websocket = wants_websocket(head);
    if head.headers.contains_key(TRANSFER_ENCODING) {
        head.headers.remove(CONTENT_LENGTH);
    }
    strip_hop(&mut head.headers);
    head.headers.remove(EXPECT);
    set_host(head, own)?;
    set_forwarded(&mut head.headers, client);
    if websocket {
        ask_upgrade(&mut head.headers);
    }
    head.version = Version::HTTP_11;
    Ok(())
}

/// Makes a node's head ready for the client.
pub(crate) fn prepare_response(head: &mut response::Parts) {
    let websocket = head.status == StatusCode::SWITCHING_PROTOCOLS;
    if head.headers.contains_key(TRANSFER_ENCODING) {
        head.headers.remove(CONTENT_LENGTH);
    }
    strip_hop(&mut head.headers);
    head.headers.remove(&UNPROCESSED);
    if websocket {
        ask_upgrade(&mut head.headers);
    }
    head.version = Version::HTTP_11;
}

/// Whether a node says that it did not process the request.
pub(crate) fn says_unprocessed(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::SERVICE_UNAVAILABLE && headers.get(&UNPROCESSED).is_some_and(|value| value == "1")
}

/// Whether a client asks to go on as a websocket. Other protocols are not offered to the node: `h2c` would
/// carry requests past everything that is decided here.
pub(crate) fn wants_websocket(head: &request::Parts) -> bool {
    head.version == Version::HTTP_11
        && head.headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
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
        &TRAILER,
        &TRANSFER_ENCODING,
        &UPGRADE,
    ] {
        headers.remove(name);
    }
}

/// One host and an origin-form target: that of an absolute target if there is one, else the `Host` header.
fn set_host(head: &mut request::Parts, own: &HeaderValue) -> Result<(), ErrorResponse> {
    if let Some(authority) = head.uri.authority() {
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
        1 => Ok(()),
        0 if head.version == Version::HTTP_10 => {
            head.headers.insert(HOST, own.clone());
            Ok(())
        }
        0 => Err(ErrorResponse::bad_request("an HTTP/1.1 request has a Host header")),
        _ => Err(ErrorResponse::bad_request("a request has one Host header")),
    }
}

/// Names the client to the node, and nobody else's word about it.
fn set_forwarded(headers: &mut HeaderMap, client: IpAddr) {
    let foreign: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-forwarded-")).cloned().collect();
    for name in &foreign {
        headers.remove(name);
    }
    headers.remove(FORWARDED);
    if let Some(host) = headers.get(HOST).cloned() {
        headers.insert(&X_FORWARDED_HOST, host);
    }
    headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    if let Ok(address) = HeaderValue::from_str(&client.to_canonical().to_string()) {
        headers.insert(&X_FORWARDED_FOR, address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(request: http::Request<()>) -> Result<request::Parts, ErrorResponse> {
        let mut head = request.into_parts().0;
        prepare_request(&mut head, [10, 0, 0, 7].into(), &HeaderValue::from_static("lb:8080"))?;
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
        assert_eq!(names, ["accept", "host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]);
    }

    #[test]
    fn the_client_is_named_and_foreign_words_are_not_believed() {
        let head = prepared(
            http::Request::get("/")
                .header("host", "shop")
                .header("x-forwarded-for", "1.2.3.4")
                .header("x-forwarded-for", "5.6.7.8")
                .header("x-forwarded-port", "99")
                .header("forwarded", "for=1.2.3.4")
                .body(())
                .unwrap(),
        )
        .unwrap();
        assert_eq!(head.headers.get_all("x-forwarded-for").iter().collect::<Vec<_>>(), ["10.0.0.7"]);
        assert_eq!(
            (&head.headers["x-forwarded-host"], &head.headers["x-forwarded-proto"]),
            (&HeaderValue::from_static("shop"), &HeaderValue::from_static("http"))
        );
        assert!(!head.headers.contains_key("forwarded") && !head.headers.contains_key("x-forwarded-port"));
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
