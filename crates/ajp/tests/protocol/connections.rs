//! Connections: CPing, what is no request, and how they end.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use sessile_ajp::{AjpRequestBody, ConnectionError, Connector, PacketSize};
use tokio::sync::mpsc;

use crate::peer::{Forward, Packet, Peer, packet, secrets};

const CPING: u8 = 10;

async fn ok(_: Request<AjpRequestBody>) -> Response<Full<Bytes>> {
    Response::new(Full::from("ok"))
}

#[tokio::test]
async fn a_connection_carries_many_requests_with_a_cping_before_each() {
    let mut peer = Peer::of(ok);
    for _ in 0..3 {
        peer.send(&[CPING]).await;
        assert_eq!(peer.next().await, Some(Packet::Pong));
        peer.send(&Forward::new(Forward::GET, "/").payload()).await;
        assert_eq!(peer.response().await.2, "ok");
    }
    peer.ended().await.unwrap();
}

#[tokio::test]
async fn packets_that_come_in_single_bytes_or_at_once_are_the_same() {
    let request = packet(&Forward::new(Forward::GET, "/").payload());
    let mut peer = Peer::of(ok);
    for byte in &request {
        peer.send_raw(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(peer.response().await.2, "ok");
    peer.send_raw(&[request.clone(), request].concat()).await;
    for _ in 0..2 {
        assert_eq!(peer.response().await.2, "ok");
    }
}

#[tokio::test]
async fn a_node_that_wants_no_requests_does_not_answer_a_cping_and_serves_all_the_same() {
    let mut peer = Peer::with(Connector::new(secrets(), PacketSize::DEFAULT, || false), ok);
    peer.send(&Forward::new(Forward::GET, "/").payload()).await;
    assert_eq!(peer.response().await.2, "ok");
    peer.send(&[CPING]).await;
    assert_eq!(peer.next().await, None);
    peer.ended().await.unwrap();
}

#[tokio::test]
async fn a_stop_ends_an_idle_connection_and_waits_for_a_request() {
    let mut idle = Peer::of(ok);
    drop(idle.stop.take());
    assert_eq!(idle.next().await, None);
    idle.ended().await.unwrap();

    let (go, mut gone) = mpsc::channel::<()>(1);
    let (tell_running, mut running) = mpsc::channel::<()>(1);
    let mut waits = Some(async move {
        tell_running.send(()).await.unwrap();
        gone.recv().await;
    });
    let mut busy = Peer::of(move |_: Request<AjpRequestBody>| {
        let wait = waits.take().unwrap();
        async {
            wait.await;
            Response::new(Full::<Bytes>::from("late"))
        }
    });
    busy.send(&Forward::new(Forward::GET, "/").payload()).await;
    running.recv().await.unwrap();
    drop(busy.stop.take());
    drop(go);
    assert_eq!(busy.response().await.2, "late");
    assert_eq!(busy.next().await, None);
    busy.ended().await.unwrap();
}

#[tokio::test]
async fn what_is_no_ajp_ends_the_connection() {
    for (bytes, error) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "no AJP packet"),
        (&packet(&[7]), "kind 7"),
        (&packet(&[8]), "kind 8"),
        (&packet(&[]), "kind 0"),
        (&[0x12, 0x34, 0xFF, 0xFF], "packet_size"),
        (&[0x12, 0x34, 0, 9, 2], "eof"),
    ] {
        let mut peer = Peer::of(ok);
        peer.send_raw(bytes).await;
        let ended = peer.ended().await.unwrap_err().to_string();
        assert!(ended.contains(error) || error == "eof", "{ended}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_does_not_come_to_its_end_is_not_waited_for() {
    let mut peer = Peer::of(ok);
    peer.send_raw(&[0x12, 0x34, 0, 9, 2]).await;
    assert_eq!(peer.next().await, None);
    peer.ended().await.unwrap();

    let mut body = Peer::of(async |request: Request<AjpRequestBody>| {
        use http_body_util::BodyExt as _;
        let came = request.into_body().collect().await.is_ok();
        Response::new(Full::<Bytes>::from(came.to_string()))
    });
    body.send(&Forward::new(Forward::POST, "/").header("content-length", "9").payload()).await;
    assert_eq!(body.next().await, None);
    assert!(matches!(body.ended().await, Err(ConnectionError::Silent)));
}
