//! The service behind the web server, on a port of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use sessile_ajp::{AjpRequestBody, Connector, Forwarded, PacketSize};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};

use crate::peer::secrets;

type Sent = BoxBody<Bytes, String>;

/// Starts it; it runs as long as the runtime.
pub(crate) fn start(packet_size: usize) -> (Runtime, SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let at = listener.local_addr().unwrap();
    let connector = Connector::new(secrets(), PacketSize::new(packet_size).unwrap(), || true);
    let going_on = Arc::new(Notify::new());
    runtime.spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (connector, going_on) = (connector.clone(), Arc::clone(&going_on));
            tokio::spawn(async move {
                let service = tower::service_fn(move |request| {
                    let going_on = Arc::clone(&going_on);
                    async move { Ok::<_, Infallible>(answer(request, &going_on).await) }
                });
                // How it ends is seen by the web server.
                let _ = connector.serve(tcp, service, std::future::pending()).await;
            });
        }
    });
    (runtime, at)
}

async fn answer(request: Request<AjpRequestBody>, going_on: &Arc<Notify>) -> Response<Sent> {
    let number = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(0);
    match request.uri().path() {
        "/count" => match request.into_body().collect().await {
            Ok(body) => text(body.to_bytes().len().to_string()),
            Err(error) => text(error.to_string()),
        },
        "/send" => text(zs().slice(..number)),
        "/stream" => {
            let (send, body) = stream();
            tokio::spawn(async move {
                let mut left = number;
                while left > 0 {
                    let piece = left.min(10_000);
                    left -= piece;
                    send.send(Ok(zs().slice(..piece))).await.unwrap();
                }
            });
            Response::new(body)
        }
        "/unread" => with_status(413, "no"),
        "/header" => {
            let large = request.headers()["x-large"].clone();
            let mut response = text(large.len().to_string());
            response.headers_mut().insert("x-large", large);
            response
        }
        "/large-head" => {
            let mut response = text("ok");
            response.headers_mut().insert("x-large", "v".repeat(9_000).parse().unwrap());
            response
        }
        "/status" => {
            let mut response = with_status(u16::try_from(number).unwrap(), "must not travel");
            response.headers_mut().insert("etag", "\"1\"".parse().unwrap());
            response
        }
        "/hang" => {
            let (send, body) = stream();
            let go_on = Arc::clone(going_on);
            tokio::spawn(async move {
                send.send(Ok(Bytes::from_static(b"first"))).await.unwrap();
                go_on.notified().await;
            });
            Response::new(body)
        }
        "/go-on" => {
            going_on.notify_waiters();
            text("ok")
        }
        "/break" => {
            let (send, body) = stream();
            tokio::spawn(async move {
                // So much that the web server cannot take it back.
                send.send(Ok(zs().slice(..1_000_000))).await.unwrap();
                send.send(Err("the disk is gone".to_owned())).await.unwrap();
            });
            let mut response = Response::new(body);
            response.headers_mut().insert("content-length", "2000000".parse().unwrap());
            response
        }
        _ => {
            let forwarded = request.extensions().get::<Forwarded>().unwrap();
            text(format!("{} {} {forwarded:?} {:?}", request.method(), request.uri(), request.headers()))
        }
    }
}

/// More bytes than any test needs.
fn zs() -> Bytes {
    static ZS: OnceLock<Bytes> = OnceLock::new();
    ZS.get_or_init(|| vec![b'z'; crate::LARGE].into()).clone()
}

fn text(text: impl Into<Bytes>) -> Response<Sent> {
    Response::new(Full::new(text.into()).map_err(|never| match never {}).boxed())
}

fn with_status(status: u16, words: &'static str) -> Response<Sent> {
    let mut response = text(words);
    *response.status_mut() = status.try_into().unwrap();
    response
}

/// A body of unknown length.
struct Streamed(mpsc::Receiver<Result<Bytes, String>>);

impl Body for Streamed {
    type Data = Bytes;
    type Error = String;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, String>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

fn stream() -> (mpsc::Sender<Result<Bytes, String>>, Sent) {
    let (send, sent) = mpsc::channel(4);
    (send, Streamed(sent).boxed())
}
