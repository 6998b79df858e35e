//! The web server's side of a connection, in bytes.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::Body;
use sessile_ajp::{AjpRequestBody, ConnectionError, Connector, PacketSize, Secrets};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The secret of all tests.
pub(crate) const SECRET: &str = "a-secret-of-the-tests";

/// Longest wait for a packet: longer than any wait of the connector.
const SILENCE: Duration = Duration::from_secs(400);

/// A connection to a connector, as the web server has it.
pub(crate) struct Peer {
    io: DuplexStream,
    /// Dropped: the connector is told to stop.
    pub(crate) stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<Result<(), ConnectionError>>,
}

/// A packet of the connector.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Head { status: u16, headers: Vec<(String, String)> },
    Piece(Bytes),
    End { is_reused: bool },
    GetBody(u16),
    Pong,
}

/// The secret in a file, read from there.
pub(crate) fn secrets() -> Secrets {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ajp.secret");
    std::fs::write(&path, SECRET).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    Secrets::load(&path).unwrap()
}

pub(crate) fn connector() -> Connector {
    Connector::new(secrets(), PacketSize::DEFAULT, || true)
}

impl Peer {
    /// A connection to a service with the default connector.
    pub(crate) fn of<F, B>(service: impl FnMut(Request<AjpRequestBody>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Error: fmt::Display + Send> + Send + 'static,
        B::Data: Send,
    {
        Self::with(connector(), service)
    }

    pub(crate) fn with<F, B>(
        connector: Connector,
        mut service: impl FnMut(Request<AjpRequestBody>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Error: fmt::Display + Send> + Send + 'static,
        B::Data: Send,
    {
        let (io, other) = tokio::io::duplex(1 << 20);
        let (stop, stopped) = oneshot::channel();
        let service = tower::service_fn(move |request| {
            let response = service(request);
            async move { Ok::<_, Infallible>(response.await) }
        });
        let served = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            connector.serve(other, service, stopped).await
        });
        Self { io, stop: Some(stop), served }
    }

    /// Sends a packet.
    pub(crate) async fn send(&mut self, payload: &[u8]) {
        self.send_raw(&packet(payload)).await;
    }

    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        // The connector may have closed it: then the test reads that.
        let _ = self.io.write_all(bytes).await;
    }

    /// Sends a piece of a body.
    pub(crate) async fn send_piece(&mut self, piece: &[u8]) {
        let mut payload = u16::try_from(piece.len()).unwrap().to_be_bytes().to_vec();
        payload.extend_from_slice(piece);
        self.send(&payload).await;
    }

    /// The next packet; `None` once the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Packet> {
        let next = tokio::time::timeout(SILENCE, self.read_packet()).await;
        next.expect("a packet, or the end of the connection")
    }

    async fn read_packet(&mut self) -> Option<Packet> {
        let mut head = [0; 4];
        self.io.read_exact(&mut head).await.ok()?;
        assert_eq!(head[..2], *b"AB");
        let mut payload = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
        self.io.read_exact(&mut payload).await.unwrap();
        let mut payload = Bytes::from(payload);
        Some(match payload.get_u8() {
            3 => Packet::Piece(text(&mut payload)),
            4 => {
                let status = payload.get_u16();
                text(&mut payload);
                let headers = (0..payload.get_u16()).map(|_| header(&mut payload)).collect();
                Packet::Head { status, headers }
            }
            5 => Packet::End { is_reused: payload.get_u8() == 1 },
            6 => Packet::GetBody(payload.get_u16()),
            9 => Packet::Pong,
            kind => panic!("a packet of kind {kind}"),
        })
    }

    /// Reads a response whose request has no body: status, headers, body, whether the connection is used
    /// again.
    pub(crate) async fn response(&mut self) -> (u16, Vec<(String, String)>, Bytes, bool) {
        let Some(Packet::Head { status, headers }) = self.next().await else { panic!("no head") };
        let mut body = Vec::new();
        loop {
            match self.next().await {
                Some(Packet::Piece(piece)) => body.extend_from_slice(&piece),
                Some(Packet::End { is_reused }) => return (status, headers, body.into(), is_reused),
                other => panic!("{other:?} within a body"),
            }
        }
    }

    /// How the connector ended, once it has.
    pub(crate) async fn ended(self) -> Result<(), ConnectionError> {
        drop(self.io);
        self.served.await.unwrap()
    }
}

pub(crate) fn packet(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34];
    bytes.extend_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn text(payload: &mut Bytes) -> Bytes {
    let length = payload.get_u16().into();
    let text = payload.split_to(length);
    assert_eq!(payload.get_u8(), 0);
    text
}

fn header(payload: &mut Bytes) -> (String, String) {
    let name = match payload.first_chunk() {
        Some([0xA0, number]) => {
            let names =
                ["content-type", "content-language", "content-length", "date", "last-modified", "location"];
            let name = names.into_iter().chain(["set-cookie", "set-cookie2", "servlet-engine", "status"]);
            let name = name.chain(["www-authenticate"]).nth(usize::from(*number) - 1).unwrap().to_owned();
            payload.advance(2);
            name
        }
        _ => String::from_utf8(text(payload).into()).unwrap(),
    };
    (name, String::from_utf8(text(payload).into()).unwrap())
}

/// A forward-request in the making.
#[derive(Clone)]
pub(crate) struct Forward {
    pub(crate) method: u8,
    pub(crate) protocol: &'static str,
    pub(crate) path: String,
    pub(crate) client: &'static str,
    pub(crate) is_tls: bool,
    pub(crate) headers: Vec<(String, String)>,
    /// Encoded.
    pub(crate) attributes: Vec<u8>,
}

impl Forward {
    pub(crate) const GET: u8 = 2;
    pub(crate) const HEAD: u8 = 3;
    pub(crate) const POST: u8 = 4;

    pub(crate) fn new(method: u8, path: &str) -> Self {
        let path = path.to_owned();
        let headers = vec![("host".to_owned(), "shop.example".to_owned())];
        let request = Self {
            method,
            protocol: "HTTP/1.1",
            path,
            client: "203.0.113.7",
            is_tls: false,
            headers,
            attributes: Vec::new(),
        };
        request.attribute(0x0C, SECRET)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn attribute(mut self, kind: u8, value: &str) -> Self {
        self.attributes.push(kind);
        put_text(&mut self.attributes, value);
        self
    }

    pub(crate) fn named(mut self, name: &str, value: &str) -> Self {
        self.attributes.push(0x0A);
        put_text(&mut self.attributes, name);
        put_text(&mut self.attributes, value);
        self
    }

    /// The payload of its packet.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut payload = vec![2, self.method];
        for field in [self.protocol, &self.path, self.client] {
            put_text(&mut payload, field);
        }
        payload.extend_from_slice(&[0xFF, 0xFF]);
        put_text(&mut payload, "server.example");
        payload.extend_from_slice(&8080_u16.to_be_bytes());
        payload.push(self.is_tls.into());
        payload.extend_from_slice(&u16::try_from(self.headers.len()).unwrap().to_be_bytes());
        for (name, value) in &self.headers {
            match name.as_str() {
                "host" => payload.extend_from_slice(&[0xA0, 0x0B]),
                "content-length" => payload.extend_from_slice(&[0xA0, 0x08]),
                "cookie" => payload.extend_from_slice(&[0xA0, 0x09]),
                name => put_text(&mut payload, name),
            }
            put_text(&mut payload, value);
        }
        payload.extend_from_slice(&self.attributes);
        payload.push(0xFF);
        payload
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}
