//! The result of a forward-request: the request that a service gets, or a refusal.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use sessile_ajp::{AjpRequestBody, ConnectionError, Forwarded};

use crate::peer::{Forward, Peer};

/// A service that tells what it was asked.
async fn tell(request: Request<AjpRequestBody>) -> Response<Full<Bytes>> {
    let about = request.extensions().get::<Forwarded>().expect("every request has it");
    let words = format!(
        "{} {} {:?} {:?} {about:?}",
        request.method(),
        request.uri(),
        request.version(),
        request.headers()
    );
    Response::new(Full::from(words))
}

async fn told(request: Forward) -> String {
    let mut peer = Peer::of(tell);
    peer.send(&request.payload()).await;
    let (status, _, body, is_reused) = peer.response().await;
    assert_eq!((status, is_reused), (200, true));
    String::from_utf8(body.into()).unwrap()
}

/// The status of a refusal; the service is not called, and the connection ends.
async fn refused(payload: &[u8]) -> u16 {
    let called = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&called);
    let mut peer = Peer::of(move |request| {
        count.fetch_add(1, SeqCst);
        tell(request)
    });
    peer.send(payload).await;
    let (status, _, body, is_reused) = peer.response().await;
    assert!(body.is_empty() && !is_reused);
    assert_eq!(peer.next().await, None, "it is closed");
    assert!(matches!(peer.ended().await, Err(ConnectionError::Refused(_))));
    assert_eq!(called.load(SeqCst), 0);
    status
}

#[tokio::test]
async fn a_request_arrives_as_the_client_sent_it() {
    let mut request = Forward::new(Forward::GET, "/shop/a%20b")
        .header("cookie", "sid=abc.tc01")
        .header("x-own", "1")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .attribute(0x05, "q=1&r=%20")
        .attribute(0x06, "tc01")
        .attribute(0x03, "ann")
        .attribute(0x08, "TLS_AES_128_GCM_SHA256")
        .named("AJP_REMOTE_PORT", "4711")
        .named("AJP_LOCAL_ADDR", "203.0.113.1")
        .named("AJP_SSL_PROTOCOL", "TLSv1.3")
        .named("JK_LB_ACTIVATION", "DIS");
    request.is_tls = true;
    // The size of the key is a number.
    request.attributes.extend_from_slice(&[0x0B, 0, 128]);
    let told = told(request).await;
    assert!(told.starts_with("GET https://shop.example/shop/a%20b?q=1&r=%20 HTTP/1.1 "), "{told}");
    for part in [
        r#""cookie": "sid=abc.tc01""#,
        r#""x-own": "1""#,
        "client: 203.0.113.7:4711",
        "server_address: Some(203.0.113.1)",
        r#"user: Some("ann")"#,
        r#"route: Some("tc01")"#,
        r#"activation: Some("DIS")"#,
        r#"cipher: Some("TLS_AES_128_GCM_SHA256")"#,
        "key_bits: Some(128)",
        r#"protocol: Some("TLSv1.3")"#,
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert!(
        !told.contains("upgrade"),
        "what concerns the client's connection ends at the web server: {told}"
    );
}

#[tokio::test]
async fn without_tls_or_host_the_request_says_so() {
    let mut request = Forward::new(0xFF, "/").attribute(0x0D, "PATCH");
    request.headers.clear();
    request.protocol = "HTTP/1.0";
    request.client = "2001:db8::7";
    let told = told(request).await;
    assert!(told.starts_with("PATCH http://server.example:8080/ HTTP/1.0 "), "{told}");
    assert!(told.contains("[2001:db8::7]:0") && told.contains("tls: None"), "{told}");
    assert!(told.contains(r#""host": "server.example:8080""#), "{told}");
}

#[tokio::test]
async fn without_the_secret_no_request_reaches_the_service() {
    let bare = Forward { attributes: Vec::new(), ..Forward::new(Forward::GET, "/") };
    assert_eq!(refused(&bare.payload()).await, 403);
    for wrong in ["", "a-secret-of-the-test", "a-secret-of-the-tests ", "A-secret-of-the-tests"] {
        assert_eq!(refused(&bare.clone().attribute(0x0C, wrong).payload()).await, 403, "{wrong}");
    }
    // Nor is told what else is wrong.
    let foreign = bare.named("javax.servlet.include.request_uri", "/WEB-INF/web.xml");
    assert_eq!(refused(&foreign.payload()).await, 403);
}

#[tokio::test]
async fn an_attribute_that_no_web_server_needs_is_refused() {
    for name in [
        "javax.servlet.include.request_uri",
        "javax.servlet.include.path_info",
        "jakarta.servlet.include.servlet_path",
        "org.apache.catalina.ASYNC_SUPPORTED",
        "remote-user-roles",
    ] {
        assert_eq!(refused(&Forward::new(Forward::GET, "/").named(name, "x").payload()).await, 403, "{name}");
    }
}

#[tokio::test]
async fn what_is_malformed_is_refused() {
    let good = Forward::new(Forward::GET, "/");
    let mut wrong = vec![
        Forward { method: 0, ..good.clone() },
        Forward { method: 28, ..good.clone() },
        Forward { method: 0xFF, ..good.clone() },
        Forward { protocol: "HTTP/3.7", ..good.clone() },
        Forward { client: "nobody", ..good.clone() },
    ];
    for path in ["", "shop", "/a?b", "/a b", "http://other.example/"] {
        wrong.push(Forward { path: path.to_owned(), ..good.clone() });
    }
    wrong.push(good.clone().header("content-length", "1").header("content-length", "2"));
    wrong.push(good.clone().header("content-length", "1").header("transfer-encoding", "chunked"));
    wrong.push(good.clone().header("host", "another.example"));
    wrong.push(good.clone().header("x y", "1"));
    wrong.push(good.clone().header("x", "a\r\nb: c"));
    wrong.push(good.clone().attribute(0x05, "a b"));
    wrong.push(good.clone().attribute(0x20, "a kind that is not one"));
    wrong.push(good.clone().named("AJP_REMOTE_PORT", "70000"));
    for wrong in wrong {
        assert_eq!(refused(&wrong.payload()).await, 400, "{:?}", String::from_utf8_lossy(&wrong.payload()));
    }
    // A packet that ends within any of its fields.
    let whole = good.header("x-own", "1").payload();
    for length in 1..whole.len() {
        assert_eq!(refused(&whole[..length]).await, 400, "{length} of {}", whole.len());
    }
}

#[tokio::test]
async fn too_many_headers_or_attributes_are_refused() {
    let mut request = Forward::new(Forward::GET, "/");
    request.headers.extend((1..200).map(|number| (format!("x-{number}"), "1".to_owned())));
    told(request.clone()).await;
    assert_eq!(refused(&request.header("x-100", "1").payload()).await, 431);
    let many = (0..64).fold(Forward::new(Forward::GET, "/"), |request, _| request.attribute(0x03, "ann"));
    assert_eq!(refused(&many.payload()).await, 400);
}
