//! Bodies of requests: the first piece comes by itself, the others when they are asked for.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use sessile_ajp::{AjpRequestBody, PacketSize};

use crate::peer::{Forward, Packet, Peer, connector, secrets};

/// The most bytes of a body in a packet of the web server.
const PIECE: usize = 8192 - 6;

/// Answers with the length of the body, or with why it did not come.
async fn measure(request: Request<AjpRequestBody>) -> Response<Full<Bytes>> {
    match request.into_body().collect().await {
        Ok(body) => Response::new(Full::from(body.to_bytes().len().to_string())),
        Err(error) => {
            let mut response = Response::new(Full::from(error.to_string()));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    }
}

/// Answers without a look at the body.
async fn ignore(_: Request<AjpRequestBody>) -> Response<Full<Bytes>> {
    Response::new(Full::from("ok"))
}

async fn post(peer: &mut Peer, length: Option<usize>) {
    let request = Forward::new(Forward::POST, "/");
    let request = match length {
        Some(length) => request.header("content-length", &length.to_string()),
        None => request.header("transfer-encoding", "chunked"),
    };
    peer.send(&request.payload()).await;
}

/// Sends pieces when they are asked for, until a response comes.
async fn feed(peer: &mut Peer, mut left: usize) -> (u16, String) {
    loop {
        match peer.next().await.expect("an answer") {
            Packet::GetBody(asked) => {
                let piece = left.min(asked.into());
                left -= piece;
                peer.send_piece(&vec![b'x'; piece]).await;
            }
            Packet::Head { status, .. } => {
                let Some(Packet::Piece(body)) = peer.next().await else { panic!("no body") };
                assert_eq!(peer.next().await, Some(Packet::End { is_reused: true }));
                return (status, String::from_utf8(body.into()).unwrap());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_declared_body_comes_in_pieces_of_which_the_first_is_not_asked_for() {
    let mut peer = Peer::of(measure);
    for length in [1, PIECE, PIECE + 1, 5 * PIECE + 7] {
        post(&mut peer, Some(length)).await;
        let first = length.min(PIECE);
        peer.send_piece(&vec![b'x'; first]).await;
        assert_eq!(feed(&mut peer, length - first).await, (200, length.to_string()));
    }
    drop(peer.stop.take());
    peer.ended().await.unwrap();
}

#[tokio::test]
async fn a_body_of_unknown_length_is_asked_for_until_an_empty_piece() {
    let mut peer = Peer::of(measure);
    for length in [0, 1, 3 * PIECE] {
        post(&mut peer, None).await;
        assert_eq!(feed(&mut peer, length).await, (200, length.to_string()));
    }
    // A packet without a length is the end as well.
    post(&mut peer, None).await;
    assert!(matches!(peer.next().await, Some(Packet::GetBody(asked)) if usize::from(asked) == PIECE));
    peer.send(&[]).await;
    assert_eq!(feed(&mut peer, 0).await, (200, "0".to_owned()));
}

#[tokio::test]
async fn an_empty_body_is_not_asked_for() {
    let mut peer = Peer::of(measure);
    post(&mut peer, Some(0)).await;
    assert_eq!(feed(&mut peer, 0).await, (200, "0".to_owned()));
    peer.send(&Forward::new(Forward::GET, "/").payload()).await;
    assert_eq!(feed(&mut peer, 0).await, (200, "0".to_owned()));
}

#[tokio::test]
async fn a_client_that_stops_within_its_body_is_no_shorter_body() {
    let mut peer = Peer::of(measure);
    post(&mut peer, Some(100)).await;
    peer.send_piece(b"only this").await;
    assert!(matches!(peer.next().await, Some(Packet::GetBody(_))));
    peer.send_piece(b"").await;
    let (status, why) = feed(&mut peer, 0).await;
    assert_eq!(status, 400);
    assert!(why.contains("91 bytes before its Content-Length"), "{why}");
}

#[tokio::test]
async fn more_than_was_declared_is_refused() {
    let mut peer = Peer::of(measure);
    post(&mut peer, Some(3)).await;
    peer.send_piece(b"four").await;
    assert_eq!(feed(&mut peer, 0).await.0, 400);
}

#[tokio::test]
async fn a_piece_that_nobody_reads_is_not_taken_for_a_request() {
    let mut peer = Peer::of(ignore);
    for _ in 0..3 {
        post(&mut peer, Some(5)).await;
        peer.send_piece(b"hello").await;
        assert_eq!(feed(&mut peer, 0).await, (200, "ok".to_owned()));
    }
}

#[tokio::test]
async fn large_packets_carry_large_pieces() {
    let large = sessile_ajp::Connector::new(secrets(), PacketSize::MAX, || true);
    let mut peer = Peer::with(large, measure);
    post(&mut peer, Some(100_000)).await;
    peer.send_piece(&vec![b'x'; 65_536 - 6]).await;
    assert_eq!(feed(&mut peer, 100_000 - 65_530).await, (200, "100000".to_owned()));
    assert!(PacketSize::new(8191).is_none() && PacketSize::new(65_537).is_none());
}

#[tokio::test]
async fn a_response_may_begin_while_the_body_is_still_read() {
    // Each piece goes back as it comes.
    let mut peer =
        Peer::with(connector(), async |request: Request<AjpRequestBody>| Response::new(request.into_body()));
    post(&mut peer, None).await;
    for piece in ["one", "two"] {
        let mut seen = String::new();
        loop {
            match peer.next().await.unwrap() {
                Packet::GetBody(_) => break,
                Packet::Piece(piece) => seen.push_str(std::str::from_utf8(&piece).unwrap()),
                Packet::Head { status, .. } => assert_eq!(status, 200),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, if piece == "one" { "" } else { "one" });
        peer.send_piece(piece.as_bytes()).await;
    }
    let mut rest = Vec::new();
    loop {
        match peer.next().await.unwrap() {
            Packet::GetBody(_) => peer.send_piece(b"").await,
            Packet::Piece(piece) => rest.extend_from_slice(&piece),
            Packet::End { is_reused: true } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rest, b"two");
}
