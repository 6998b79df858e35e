//! HTTP/2 clients that cost work: each is cut or refused, and others are served as before.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Certificates, client, connect};
use crate::setup::Setup;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Longest wait for the end of a connection.
const PATIENCE: Duration = Duration::from_secs(20);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A literal header that enters no table (RFC 7541, section 6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0, u8::try_from(name.len()).unwrap()];
    bytes.extend(name.as_bytes());
    bytes.push(u8::try_from(value.len()).unwrap());
    bytes.extend(value.as_bytes());
    bytes
}

/// `GET /slow` on `https://shop.example`.
fn get() -> Vec<u8> {
    [&[0x82, 0x87][..], &literal(":path", "/slow"), &literal(":authority", "shop.example")].concat()
}

struct Hostile {
    setup: Setup,
    tls: TlsStream<TcpStream>,
    _certificates: Certificates,
}

impl Hostile {
    async fn start() -> Self {
        let certificates = Certificates::new();
        let setup = Setup::start(&[1], |config| certificates.serve(config)).await;
        let trusted = setup.tls.clone().unwrap();
        let mut tls = connect(setup.address, "shop.example", client(&trusted, None, &["h2"])).await.unwrap();
        tls.write_all(PREFACE).await.unwrap();
        tls.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        Self { setup, tls, _certificates: certificates }
    }

    /// Sends these bytes again and again, reading all that comes, until the server ends the connection. Fails
    /// when it took `at_most` rounds.
    async fn sends_until_cut(&mut self, at_most: u32, mut bytes: impl FnMut(u32) -> Vec<u8>) -> u32 {
        let (mut reader, mut writer) = tokio::io::split(&mut self.tls);
        let ended = async {
            let mut buffer = vec![0; 16 * 1024];
            while reader.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
        };
        let sent = async {
            for round in 0..at_most {
                if writer.write_all(&bytes(round)).await.is_err() || writer.flush().await.is_err() {
                    return round;
                }
                tokio::task::yield_now().await;
            }
            std::future::pending().await
        };
        let cut = async {
            tokio::select! {
                () = ended => None,
                round = sent => Some(round),
            }
        };
        timeout(PATIENCE, cut).await.expect("the connection is cut").unwrap_or(0)
    }

    async fn others_are_served(&self) {
        let trusted = self.setup.tls.clone().unwrap();
        let client = client(&trusted, None, &["http/1.1"]);
        let mut tls = connect(self.setup.address, "shop.example", client).await.unwrap();
        tls.write_all(b"GET /who HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        tls.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("tc01"), "{answer}");
        // The requests of the hostile client have ended.
        crate::setup::until(|| self.setup.status()[0].active == 0).await;
    }
}

#[tokio::test]
async fn rapid_reset_is_cut() {
    let mut hostile = Hostile::start().await;
    hostile
        .sends_until_cut(100_000, |round| {
            let stream = 2 * round + 1;
            let begins = frame(HEADERS, END_HEADERS | END_STREAM, stream, &get());
            [begins, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
        })
        .await;
    assert!(hostile.setup.nodes[0].log.requests() <= 1_001, "the bound of frames is one of requests");
    hostile.others_are_served().await;
}

#[tokio::test]
async fn settings_and_pings_without_end_are_cut() {
    for kind in [SETTINGS, PING] {
        let mut hostile = Hostile::start().await;
        let payload: &[u8] = if kind == PING { &[0; 8] } else { &[] };
        hostile.sends_until_cut(100_000, |_| frame(kind, 0, 0, payload)).await;
        hostile.others_are_served().await;
    }
}

#[tokio::test]
async fn a_head_without_end_is_cut() {
    let mut hostile = Hostile::start().await;
    let begins = frame(HEADERS, END_STREAM, 1, &get());
    hostile.tls.write_all(&begins).await.unwrap();
    hostile.sends_until_cut(100_000, |_| frame(CONTINUATION, 0, 1, &literal("x", "y"))).await;
    hostile.others_are_served().await;
}

#[tokio::test]
async fn a_head_that_grows_when_it_is_unpacked_is_refused() {
    let mut hostile = Hostile::start().await;
    // A header of 4 KB enters the table, and is then named 4,000 times by one byte: 16 MB in 8 KB.
    let value = "v".repeat(3_900);
    let mut head = get();
    head.extend([0x40, 1, b'x', 0x7f]);
    let mut rest = value.len() - 127;
    while rest >= 128 {
        head.push(u8::try_from(rest % 128).unwrap() | 0x80);
        rest /= 128;
    }
    head.push(u8::try_from(rest).unwrap());
    head.extend(value.as_bytes());
    head.extend(std::iter::repeat_n(0xbe, 4_000));
    hostile.tls.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head)).await.unwrap();
    hostile.tls.flush().await.unwrap();
    // Answered with 431 or reset, and never seen by the node.
    let mut answer = [0; 1024];
    timeout(PATIENCE, hostile.tls.read(&mut answer)).await.unwrap().unwrap();
    hostile.others_are_served().await;
    assert_eq!(hostile.setup.nodes[0].log.requests(), 1, "that of the other client");
}
