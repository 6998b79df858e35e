//! Responses: with a body, without one, in pieces, and those that fail.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Empty, Full};
use sessile_ajp::{AjpRequestBody, ConnectionError};
use tokio::sync::mpsc;

use crate::peer::{Forward, Packet, Peer};

/// A body that comes from a channel and does not tell its length; an error text ends it.
struct Streamed(mpsc::Receiver<Result<&'static str, &'static str>>);

impl Body for Streamed {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(|text| Frame::data(text.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Asks once; what a service answers that always says this.
async fn answered(method: u8, status: u16, body: &'static str) -> (u16, Vec<(String, String)>, Bytes, bool) {
    let mut peer = Peer::of(move |_: Request<AjpRequestBody>| {
        let response =
            Response::builder().status(status).header("x-own", "1").body(Full::<Bytes>::from(body));
        async { response.unwrap() }
    });
    peer.send(&Forward::new(method, "/").payload()).await;
    peer.response().await
}

fn length(headers: &[(String, String)]) -> Option<&str> {
    headers.iter().find(|(name, _)| name == "content-length").map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn a_body_of_known_length_tells_it() {
    let (status, headers, body, is_reused) = answered(Forward::GET, 200, "hello").await;
    assert_eq!((status, body, is_reused), (200, "hello".into(), true));
    assert_eq!(length(&headers), Some("5"));
    assert_eq!(length(&answered(Forward::GET, 200, "").await.1), Some("0"));
}

#[tokio::test]
async fn head_204_205_and_304_have_no_body() {
    let (status, headers, body, _) = answered(Forward::HEAD, 200, "hello").await;
    assert_eq!((status, length(&headers), body), (200, Some("5"), Bytes::new()));
    for without in [204, 205, 304] {
        let (status, headers, body, is_reused) = answered(Forward::GET, without, "must not travel").await;
        assert_eq!((status, length(&headers), body, is_reused), (without, None, Bytes::new(), true));
    }
}

#[tokio::test]
async fn a_large_body_is_cut_into_packets_and_none_is_too_large() {
    let large: Bytes = (0..1_000_000_u32).map(|byte| byte as u8).collect::<Vec<_>>().into();
    let sent = large.clone();
    let mut peer = Peer::of(move |_: Request<AjpRequestBody>| {
        let response = Response::new(Full::new(sent.clone()));
        async { response }
    });
    peer.send(&Forward::new(Forward::GET, "/").payload()).await;
    let (_, headers, body, _) = peer.response().await;
    assert_eq!((length(&headers), body), (Some("1000000"), large));
}

#[tokio::test]
async fn what_an_application_has_sent_goes_on_when_it_pauses() {
    let (tell, told) = mpsc::channel(8);
    let mut streamed = Some(Streamed(told));
    let mut peer = Peer::of(move |_: Request<AjpRequestBody>| {
        let response = Response::new(streamed.take().unwrap());
        async { response }
    });
    peer.send(&Forward::new(Forward::GET, "/").payload()).await;
    assert!(matches!(peer.next().await, Some(Packet::Head { status: 200, .. })));
    // The empty piece asks the web server to send on what it has.
    assert_eq!(peer.next().await, Some(Packet::Piece(Bytes::new())));
    tell.send(Ok("first")).await.unwrap();
    assert_eq!(peer.next().await, Some(Packet::Piece("first".into())));
    assert_eq!(peer.next().await, Some(Packet::Piece(Bytes::new())));
    drop(tell);
    assert_eq!(peer.next().await, Some(Packet::End { is_reused: true }));
}

#[tokio::test]
async fn a_body_that_fails_does_not_end_like_a_complete_one() {
    let (tell, told) = mpsc::channel(8);
    let mut streamed = Some(Streamed(told));
    let mut peer = Peer::of(move |_: Request<AjpRequestBody>| {
        let response = Response::new(streamed.take().unwrap());
        async { response }
    });
    peer.send(&Forward::new(Forward::GET, "/").payload()).await;
    tell.send(Ok("first")).await.unwrap();
    tell.send(Err("the disk is gone")).await.unwrap();
    loop {
        match peer.next().await {
            Some(Packet::End { .. }) => panic!("a client would take it for complete"),
            Some(_) => {}
            None => break,
        }
    }
    let Err(ConnectionError::Unfinished(why)) = peer.ended().await else { panic!("it is an error") };
    assert_eq!(why, "the disk is gone");
}

#[tokio::test]
async fn a_body_must_be_as_long_as_its_head_says() {
    for (told, body) in [("3", "four"), ("5", "four")] {
        let mut peer = Peer::of(move |_: Request<AjpRequestBody>| {
            let response = Response::builder().header("content-length", told).body(Full::<Bytes>::from(body));
            async { response.unwrap() }
        });
        peer.send(&Forward::new(Forward::GET, "/").payload()).await;
        while let Some(packet) = peer.next().await {
            assert!(!matches!(packet, Packet::End { .. }), "{told}");
        }
        assert!(matches!(peer.ended().await, Err(ConnectionError::Unfinished(_))));
    }
}

#[tokio::test]
async fn a_head_that_fits_into_no_packet_is_an_error_with_its_remedy() {
    let mut peer = Peer::of(async |_: Request<AjpRequestBody>| {
        Response::builder().header("x-large", "x".repeat(8192)).body(Empty::<Bytes>::new()).unwrap()
    });
    peer.send(&Forward::new(Forward::GET, "/").payload()).await;
    let (status, _, _, is_reused) = peer.response().await;
    assert_eq!((status, is_reused), (500, false));
    let error = peer.ended().await.unwrap_err().to_string();
    assert!(error.contains("packet_size"), "{error}");
}

#[tokio::test]
async fn a_response_that_closes_its_connection_is_the_last_one() {
    let mut peer = Peer::of(async |_: Request<AjpRequestBody>| {
        Response::builder().header("connection", "close").body(Full::<Bytes>::from("bye")).unwrap()
    });
    peer.send(&Forward::new(Forward::GET, "/").payload()).await;
    let (status, headers, _, is_reused) = peer.response().await;
    assert_eq!((status, is_reused), (StatusCode::OK.as_u16(), false));
    assert!(headers.iter().all(|(name, _)| name != "connection"));
    assert_eq!(peer.next().await, None);
    peer.ended().await.unwrap();
}
