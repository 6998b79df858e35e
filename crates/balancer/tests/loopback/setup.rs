//! A balancer in front of nodes, and clients that send exactly what they are told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use sessile_balancer::{
    BackendConfig, BackendControl, BackendMonitor, BackendState, BackendStatus, Balancer, BalancerConfig,
    Stopped,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::backend::TestBackend;

/// Longest wait for a condition.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running balancer and its nodes `tc01`, `tc02`, …
pub(crate) struct Setup {
    pub(crate) address: SocketAddr,
    pub(crate) nodes: Vec<TestBackend>,
    pub(crate) monitor: BackendMonitor,
    pub(crate) control: BackendControl,
    pub(crate) running: JoinHandle<Stopped>,
    pub(crate) stop: Arc<Notify>,
    /// The certificate that clients are shown, if there is one.
    pub(crate) tls: Option<PathBuf>,
}

impl Setup {
    /// Nodes of these weights; the configuration can be changed before the balancer starts.
    pub(crate) async fn start(weights: &[u32], change: impl FnOnce(&mut BalancerConfig)) -> Self {
        let mut config = BalancerConfig::default();
        let mut nodes = Vec::new();
        for (index, weight) in weights.iter().enumerate() {
            let name = format!("tc{:02}", index + 1);
            let node = TestBackend::start(&name).await;
            let config_of_node = BackendConfig::new(name, node.address.to_string());
            config.nodes.push(BackendConfig { weight: *weight, ..config_of_node });
            nodes.push(node);
        }
        config.balance.listen = "127.0.0.1:0".into();
        config.balance.health_interval = Duration::from_millis(20);
        config.balance.operators = vec!["127.0.0.0/8".parse().unwrap()];
        change(&mut config);
        let tls = config.balance.tls.certificates.first().cloned();
        let balancer = Balancer::bind(config).await.unwrap();
        let (address, stop) = (balancer.local_addr(), Arc::new(Notify::new()));
        let (monitor, control) = (balancer.monitor(), balancer.control());
        let stopped = Arc::clone(&stop);
        let running = tokio::spawn(balancer.run(async move { stopped.notified().await }));
        let setup = Self { address, nodes, monitor, control, running, stop, tls };
        until(|| setup.status().iter().all(|node| node.state != BackendState::Unknown)).await;
        setup
    }

    /// Two nodes of equal weight.
    pub(crate) async fn pair() -> Self {
        Self::start(&[1, 1], |_| {}).await
    }

    /// Two nodes whose death and return only requests can notice: no health check comes in time.
    pub(crate) async fn pair_unchecked() -> Self {
        Self::start(&[1, 1], |config| config.balance.health_interval = Duration::from_secs(3_600)).await
    }

    pub(crate) fn status(&self) -> Vec<BackendStatus> {
        self.monitor.status()
    }

    /// Until the balancer sees this node so.
    pub(crate) async fn sees(&self, index: usize, state: BackendState) {
        until(|| self.status()[index].state == state).await;
    }

    /// Sends a request on a connection of its own and reads the whole answer.
    pub(crate) async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Whole {
        let (head, body) = self.open(request, Full::new(body.into())).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Whole { status: head.status, head, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// Sends a request on a connection of its own and answers once the head is there.
    pub(crate) async fn open<B>(&self, request: http::request::Builder, body: B) -> Response<Incoming>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(tcp)).await.unwrap();
        tokio::spawn(driver.with_upgrades());
        let mut request: Request<B> = request.body(body).unwrap();
        request.headers_mut().entry(header::HOST).or_insert("shop.example".parse().unwrap());
        sender.send_request(request).await.unwrap()
    }

    /// Writes these bytes, reads until the balancer ends the connection, answers what came.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut tcp = TcpStream::connect(self.address).await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is an end as well.
        let _ = tokio::time::timeout(PATIENCE, tcp.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8(answer).unwrap()
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) status: StatusCode,
    pub(crate) head: http::response::Parts,
    pub(crate) text: String,
}

impl Whole {
    /// The balancer's detail for operators.
    pub(crate) fn detail(&self) -> &str {
        self.head.headers.get("sessile-balancer-detail").map_or("", |detail| detail.to_str().unwrap())
    }
}

pub(crate) fn get(path: &str) -> http::request::Builder {
    Request::get(path)
}

/// A POST that the nodes count under this id.
pub(crate) fn post(path: &str, id: &str) -> http::request::Builder {
    Request::post(path).header("x-id", id)
}

/// A GET of a session that lives on this node.
pub(crate) fn sticky(path: &str, node: &str) -> http::request::Builder {
    get(path).header(header::COOKIE, format!("sid=abc.{node}"))
}

/// Waits for a condition.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let waited = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.expect("the condition came true in time");
}
