//! A server that stands for a node: answers with its name and what it saw, counts, and misbehaves when told
//! to.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// The orders of a node, and the requests that it saw.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) name: String,
    /// Status of the health path; 0 is 200.
    pub(crate) health: AtomicU16,
    /// The health path does not answer.
    pub(crate) hangs: AtomicBool,
    /// The notes on balancers' health checks: nothing new is sent, and how many requests run.
    pub(crate) drain_acknowledged: Mutex<Vec<String>>,
    /// Answers everything as not processed.
    pub(crate) unprocessed: AtomicBool,
    /// Lets `/stream` and `/slow` go on.
    pub(crate) go_on: Notify,
    /// `/slow` requests that began.
    pub(crate) slow: AtomicUsize,
    pub(crate) connections: AtomicUsize,
    pub(crate) requests: AtomicUsize,
    /// How often each `x-id` was processed.
    pub(crate) ids: Mutex<HashMap<String, usize>>,
}

impl Log {
    pub(crate) fn processed(&self, id: &str) -> usize {
        self.ids.lock().get(id).copied().unwrap_or(0)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }
}

/// A running node; it dies when dropped.
pub(crate) struct TestBackend {
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Log>,
    server: JoinHandle<()>,
}

impl TestBackend {
    pub(crate) async fn start(name: &str) -> Self {
        Self::listen(
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            Log { name: name.into(), ..Log::default() }.into(),
        )
    }

    fn listen(listener: TcpListener, log: Arc<Log>) -> Self {
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(accept(listener, Arc::clone(&log)));
        Self { address, log, server }
    }

    /// Ends the server and all its connections, as the death of its process would.
    pub(crate) async fn kill(&mut self) {
        self.server.abort();
        if !self.server.is_finished() {
            let _ = (&mut self.server).await;
        }
    }

    /// Serves again under the same address, with the same log.
    pub(crate) async fn restart(&mut self) {
        self.kill().await;
        let listener = TcpListener::bind(self.address).await.unwrap();
        *self = Self::listen(listener, Arc::clone(&self.log));
    }
}

impl Drop for TestBackend {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, log: Arc<Log>) {
    let mut connections = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let log = Arc::clone(&log);
        connections.spawn(async move {
            let counted = AtomicBool::new(false);
            let service = service_fn(|request| {
                if !is_health(&request) && !counted.swap(true, SeqCst) {
                    log.connections.fetch_add(1, SeqCst);
                }
                answer(Arc::clone(&log), request)
            });
            let _ = http1::Builder::new()
                .max_headers(1_000)
                .serve_connection(TokioIo::new(tcp), service)
                .with_upgrades()
                .await;
        });
    }
}

fn is_health(request: &Request<Incoming>) -> bool {
    request.uri().path() == "/.sessile/ready"
}

/// Answers by path; an error closes the connection without an answer.
async fn answer(log: Arc<Log>, request: Request<Incoming>) -> Result<Answer, &'static str> {
    if is_health(&request) {
        if log.hangs.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        assert!(request.headers().contains_key("sessile-balancer"));
        if let Some(active) = request.headers().get("sessile-drain-acknowledged") {
            log.drain_acknowledged.lock().push(active.to_str().unwrap().to_owned());
        }
        let status = StatusCode::from_u16(log.health.load(SeqCst)).unwrap_or(StatusCode::OK);
        return Ok(respond(status, "health"));
    }
    log.requests.fetch_add(1, SeqCst);
    if log.unprocessed.load(SeqCst) {
        let mut refused = respond(StatusCode::SERVICE_UNAVAILABLE, "later");
        refused.headers_mut().insert("sessile-unprocessed", "1".parse().unwrap());
        refused.headers_mut().insert(header::RETRY_AFTER, "1".parse().unwrap());
        return Ok(refused);
    }
    if let Some(id) = request.headers().get("x-id") {
        *log.ids.lock().entry(id.to_str().unwrap().to_owned()).or_default() += 1;
    }
    let path = request.uri().path().to_owned();
    match path.rsplit('/').next().unwrap_or_default() {
        "cut" => {
            let _ = request.collect().await;
            Err("told to cut the connection")
        }
        "stream" => Ok(stream(log)),
        "slow" => {
            log.slow.fetch_add(1, SeqCst);
            log.go_on.notified().await;
            Ok(respond(StatusCode::OK, &log.name))
        }
        "duplex" => Ok(Response::new(request.into_body().map_err(|error| panic!("{error}")).boxed())),
        "fails" => Ok(respond(StatusCode::BAD_GATEWAY, "told to fail")),
        "ws" => Ok(websocket(request)),
        "many" => {
            let mut many = respond(StatusCode::OK, &log.name);
            for number in 0..190 {
                many.headers_mut().append("x-many", number.into());
            }
            Ok(many)
        }
        "unchanged" => Ok(Response::builder()
            .status(StatusCode::NOT_MODIFIED)
            .header(header::ETAG, "\"1\"")
            .body(Full::default().boxed())
            .unwrap()),
        "who" => Ok(respond(StatusCode::OK, &log.name)),
        _ => Ok(echo(request).await),
    }
}

fn respond(status: StatusCode, text: &str) -> Answer {
    Response::builder().status(status).body(Full::from(text.to_owned()).boxed()).unwrap()
}

/// The head as it arrived, one line a header, an empty line, the body.
async fn echo(request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let mut text = format!("{} {}\n", head.method, head.uri);
    for (name, value) in &head.headers {
        text += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    match body.collect().await {
        Ok(body) => text += &format!("\n{}", String::from_utf8_lossy(&body.to_bytes())),
        Err(error) => text += &format!("\nbroken body: {error}"),
    }
    respond(StatusCode::OK, &text)
}

/// Two chunks; the second only after `go_on`.
fn stream(log: Arc<Log>) -> Answer {
    let chunks = futures_util::stream::unfold(0, move |sent| {
        let log = Arc::clone(&log);
        async move {
            match sent {
                0 => Some((Ok(Frame::data(Bytes::from_static(b"one"))), 1)),
                1 => {
                    log.go_on.notified().await;
                    Some((Ok(Frame::data(Bytes::from_static(b"two"))), 2))
                }
                _ => None,
            }
        }
    });
    Response::new(BodyExt::boxed(StreamBody::new(SyncStream(Mutex::new(Box::pin(chunks))))))
}

/// Makes a stream shareable, as the boxed body wants it.
struct SyncStream<S>(Mutex<std::pin::Pin<Box<S>>>);

impl<S: futures_util::Stream> futures_util::Stream for SyncStream<S> {
    type Item = S::Item;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        self.get_mut().0.get_mut().as_mut().poll_next(cx)
    }
}

/// Switches the protocol and echoes bytes.
fn websocket(mut request: Request<Incoming>) -> Answer {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
        let _ = tokio::io::copy(&mut read, &mut write).await;
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header("sec-websocket-accept", "yes")
        .body(Full::default().boxed())
        .unwrap()
}
