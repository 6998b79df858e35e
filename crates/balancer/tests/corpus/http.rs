//! Any bytes from a client, and any bytes from a node: balancer and nodes agree where a message ends, so
//! nobody gets what was meant for another, and the next honest request is answered as always.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sessile_balancer::{BackendConfig, BackendMonitor, Balancer, BalancerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// How long a client waits for more of an answer to what may not deserve one.
const DOUBT: Duration = Duration::from_millis(50);
/// Longest wait for an answer to an honest request.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest head that the raw node reads.
const HEAD_MAX: usize = 64 << 10;

/// A balancer in front of one node.
struct Stand {
    runtime: Runtime,
    balancer: SocketAddr,
    monitor: BackendMonitor,
}

/// The body of the target `request`: what a client sends.
pub(crate) fn request(input: &[u8]) {
    static STAND: OnceLock<(Stand, Arc<AtomicU64>)> = OnceLock::new();
    let (stand, processed) = STAND.get_or_init(|| {
        let processed = Arc::new(AtomicU64::new(0));
        (Stand::start(parsing_node(Arc::clone(&processed))), processed)
    });
    stand.runtime.block_on(async {
        stand.send(input, DOUBT).await;
        stand.serves_the_honest().await;
    });
    let (chosen, processed) = (stand.monitor.status()[0].requests, processed.load(Ordering::SeqCst));
    assert!(processed <= chosen, "the node processed {processed} requests and was given {chosen}");
}

/// The body of the target `response`: what a node sends.
pub(crate) fn response(input: &[u8]) {
    static STAND: OnceLock<(Stand, Arc<Mutex<Vec<u8>>>)> = OnceLock::new();
    let (stand, hostile) = STAND.get_or_init(|| {
        let hostile = Arc::new(Mutex::new(Vec::new()));
        (Stand::start(raw_node(Arc::clone(&hostile))), hostile)
    });
    *hostile.lock().unwrap() = input.to_vec();
    stand.runtime.block_on(async {
        stand.send(b"GET /hostile HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", DOUBT).await;
        for _ in 0..2 {
            stand.serves_the_honest().await;
        }
    });
}

impl Stand {
    fn start(node: impl Future<Output = SocketAddr>) -> Self {
        let runtime = Runtime::new().unwrap();
        let (balancer, monitor) = runtime.block_on(async {
            let address = node.await.to_string();
            let mut config = BalancerConfig::default();
            config.balance.listen = "127.0.0.1:0".into();
            config.nodes.push(BackendConfig::new("tc01", address));
            let balancer = Balancer::bind(config).await.unwrap();
            let started = (balancer.local_addr(), balancer.monitor());
            tokio::spawn(balancer.run(std::future::pending()));
            started
        });
        Self { runtime, balancer, monitor }
    }

    /// Sends these bytes and the end, and gives what comes back until the end or a silence.
    async fn send(&self, bytes: &[u8], silence: Duration) -> Vec<u8> {
        let mut tcp = TcpStream::connect(self.balancer).await.unwrap();
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        // The balancer may have seen enough before all is written.
        let _ = tcp.write_all(bytes).await;
        while let Ok(Ok(length @ 1..)) = timeout(silence, tcp.read(&mut part)).await {
            answer.extend_from_slice(&part[..length]);
        }
        answer
    }

    async fn serves_the_honest(&self) {
        let honest = b"GET /honest HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answer = String::from_utf8(self.send(honest, PATIENCE).await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhonest"), "{answer}");
    }
}

/// A node as they are: an HTTP server that reads whole requests, and counts them but for questions for its
/// health.
async fn parsing_node(processed: Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let processed = Arc::clone(&processed);
            let service = service_fn(move |request: Request<Incoming>| {
                let is_health = request.uri().path().starts_with("/.sessile");
                processed.fetch_add(u64::from(!is_health), Ordering::SeqCst);
                async move {
                    let _ = request.into_body().collect().await;
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"honest"))))
                }
            });
            let serving =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), service);
            tokio::spawn(serving);
        }
    });
    address
}

/// A node that answers `/hostile` with these bytes, and keeps the connection.
async fn raw_node(hostile: Arc<Mutex<Vec<u8>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(answer_raw(tcp, Arc::clone(&hostile)));
        }
    });
    address
}

async fn answer_raw(mut tcp: TcpStream, hostile: Arc<Mutex<Vec<u8>>>) {
    let (mut head, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = tcp.read(&mut part).await {
        head.extend_from_slice(&part[..length]);
        if head.len() > HEAD_MAX {
            return;
        }
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let answer = match head.starts_with(b"GET /hostile") {
            true => hostile.lock().unwrap().clone(),
            false => b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhonest".to_vec(),
        };
        head.clear();
        if tcp.write_all(&answer).await.is_err() {
            return;
        }
    }
}
