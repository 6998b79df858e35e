//! Streams, websockets and heads pass unchanged.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::setup::{Setup, get, post, sticky};

#[tokio::test]
async fn a_response_streams_chunk_by_chunk() {
    let setup = Setup::pair().await;
    let mut body = setup.open(sticky("/stream", "tc02"), Full::<Bytes>::default()).await.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    // Only now is the second produced.
    setup.nodes[1].log.go_on.notify_one();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "two");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_request_without_a_known_size_streams_while_its_answer_comes() {
    let setup = Setup::pair().await;
    let (send, mut receive) = mpsc::unbounded_channel::<&'static str>();
    let chunks = futures_util::stream::poll_fn(move |cx| {
        receive.poll_recv(cx).map(|text| text.map(|text| Ok::<_, Infallible>(Frame::data(Bytes::from(text)))))
    });
    send.send("ping").unwrap();
    let mut body = setup.open(Request::post("/duplex"), StreamBody::new(chunks)).await.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ping");
    send.send("pong").unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "pong");
    drop(send);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_websocket_is_tunnelled_to_the_node_of_its_session() {
    let setup = Setup::pair().await;
    let request = sticky("/ws", "tc02").header("connection", "Upgrade").header("upgrade", "websocket");
    let response = setup.open(request, Full::<Bytes>::default()).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert_eq!(response.headers()["sec-websocket-accept"], "yes");
    let mut tunnel = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    for text in [&b"hello"[..], b"again"] {
        tunnel.write_all(text).await.unwrap();
        let mut answer = [0; 5];
        tunnel.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, text);
    }
    tunnel.shutdown().await.unwrap();
    assert_eq!(tunnel.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(setup.nodes[1].log.requests(), 1);
}

#[tokio::test]
async fn nodes_learn_the_client_from_the_balancer_alone() {
    let setup = Setup::pair().await;
    let request = get("/echo?a=b").header("x-forwarded-for", "6.6.6.6").header("x-forwarded-proto", "https");
    let request =
        request.header("forwarded", "for=6.6.6.6").header("connection", "x-secret").header("x-secret", "1");
    let answer = setup.send(request, "").await;
    let mut lines: Vec<_> = answer.text.trim().lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "GET /echo?a=b",
            "forwarded: for=127.0.0.1;host=\"shop.example\";proto=http",
            "host: shop.example",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: shop.example",
            "x-forwarded-proto: http",
        ]
    );
}

#[tokio::test]
async fn answers_without_a_body_keep_their_heads() {
    let setup = Setup::pair().await;
    let head = setup.send(Request::head("/who"), "").await;
    assert_eq!((head.status, &head.head.headers["content-length"]), (StatusCode::OK, &"4".parse().unwrap()));
    let unchanged = setup.send(get("/unchanged"), "").await;
    assert_eq!(
        (unchanged.status, &unchanged.head.headers["etag"]),
        (StatusCode::NOT_MODIFIED, &"\"1\"".parse().unwrap())
    );
    assert_eq!(setup.send(post("/who", "empty"), "").await.status, StatusCode::OK);
}
