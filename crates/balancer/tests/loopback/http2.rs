//! HTTP/2 in front of HTTP/1.1, with a client that behaves.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Version};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::certificates::{Certificates, client, connect};
use crate::setup::Setup;

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn http2(setup: &Setup) -> SendRequest<Body> {
    let tls = setup.tls.clone().unwrap();
    let tls = connect(setup.address, "shop.example", client(&tls, None, &["h2", "http/1.1"])).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
    tokio::spawn(driver);
    sender
}

fn empty() -> Body {
    Empty::new().boxed()
}

async fn setup() -> (Setup, Certificates) {
    let certificates = Certificates::new();
    let setup = Setup::start(&[1, 1], |config| certificates.serve(config)).await;
    (setup, certificates)
}

#[tokio::test]
async fn many_requests_go_over_one_connection_and_stick_by_any_of_several_cookie_lines() {
    let (setup, _certificates) = setup().await;
    let sender = http2(&setup).await;
    let requests = (0..50).map(|_| {
        let mut sender = sender.clone();
        async move {
            let request = Request::get("https://shop.example/who")
                .header("cookie", "a=b")
                .header("cookie", "sid=x.tc02");
            let answer = sender.send_request(request.body(empty()).unwrap()).await.unwrap();
            assert_eq!(answer.version(), Version::HTTP_2);
            answer.into_body().collect().await.unwrap().to_bytes()
        }
    });
    for answer in futures_util::future::join_all(requests).await {
        assert_eq!(answer, "tc02");
    }
}

#[tokio::test]
async fn a_body_and_its_trailers_reach_the_node() {
    let (setup, _certificates) = setup().await;
    let mut sender = http2(&setup).await;
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("42"))]);
    let frames = [Frame::data(Bytes::from_static(b"abc")), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
    let request =
        Request::post("https://shop.example/duplex").header("te", "trailers").header("trailer", "x-sum");
    let answer = sender.send_request(request.body(BodyExt::boxed(body)).unwrap()).await.unwrap();
    let answer = answer.into_body().collect().await.unwrap();
    // The node sends back what it got, frame by frame; it declares no trailers of its own.
    assert_eq!(answer.to_bytes(), "abc");
}

#[tokio::test]
async fn websockets_are_streams() {
    let (setup, _certificates) = setup().await;
    let mut sender = http2(&setup).await;
    let mut tunnels = Vec::new();
    for number in 0..2 {
        let mut request =
            Request::builder().method(Method::CONNECT).uri("https://shop.example/ws").body(empty()).unwrap();
        *request.version_mut() = Version::HTTP_2;
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        request.headers_mut().insert("cookie", HeaderValue::from_static("sid=x.tc01"));
        let mut answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(
            !answer.headers().contains_key("sec-websocket-accept")
                && !answer.headers().contains_key("upgrade")
        );
        let mut tunnel = TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
        tunnel.write_all(format!("hello {number}").as_bytes()).await.unwrap();
        let mut echoed = [0; 7];
        tunnel.read_exact(&mut echoed).await.unwrap();
        assert_eq!(echoed, format!("hello {number}").as_bytes());
        tunnels.push(tunnel);
    }
    assert_eq!(setup.status()[0].active, 2);
    // Requests go on beside them.
    let request = Request::get("https://shop.example/who").body(empty()).unwrap();
    assert!(sender.send_request(request).await.unwrap().status().is_success());
    drop(tunnels);
    crate::setup::until(|| setup.status()[0].active == 0).await;
}

#[tokio::test]
async fn connect_to_elsewhere_is_refused() {
    let (setup, _certificates) = setup().await;
    let mut sender = http2(&setup).await;
    let mut request =
        Request::builder().method(Method::CONNECT).uri("other.example:443").body(empty()).unwrap();
    *request.version_mut() = Version::HTTP_2;
    assert_eq!(sender.send_request(request).await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_stop_ends_the_connection_when_its_requests_have_ended() {
    let (setup, _certificates) = setup().await;
    let mut sender = http2(&setup).await;
    let request =
        Request::get("https://shop.example/slow").header("cookie", "sid=x.tc01").body(empty()).unwrap();
    let running = tokio::spawn(sender.send_request(request));
    crate::setup::until(|| setup.nodes[0].log.slow.load(std::sync::atomic::Ordering::SeqCst) == 1).await;
    setup.stop.notify_one();
    setup.nodes[0].log.go_on.notify_one();
    assert_eq!(running.await.unwrap().unwrap().status(), 200);
    crate::setup::until(|| setup.running.is_finished()).await;
}
