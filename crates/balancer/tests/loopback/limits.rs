//! Limits of time and number, and clients that end their side.

use std::time::Duration;

use sessile_balancer::BalancerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::setup::{Setup, get, until};

const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

async fn with(change: impl FnOnce(&mut BalancerConfig)) -> Setup {
    Setup::start(&[1], change).await
}

/// All that comes until the balancer ends the connection.
async fn rest(tcp: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = timeout(PATIENCE, tcp.read_to_end(&mut answer)).await.expect("the connection ends");
    String::from_utf8(answer).unwrap()
}

async fn open(setup: &Setup, bytes: &[u8]) -> TcpStream {
    let mut tcp = TcpStream::connect(setup.address).await.unwrap();
    tcp.write_all(bytes).await.unwrap();
    tcp
}

#[tokio::test]
async fn a_client_that_ends_its_side_gets_its_answer() {
    let setup = with(|_| {}).await;
    let mut tcp = open(&setup, b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tcp.shutdown().await.unwrap();
    until(|| setup.nodes[0].log.slow.load(std::sync::atomic::Ordering::SeqCst) == 1).await;
    setup.nodes[0].log.go_on.notify_one();
    assert!(rest(&mut tcp).await.ends_with("tc01"));
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let setup = with(|config| config.balance.limits.head_timeout = SHORT).await;
    let mut half = open(&setup, b"GET /who HTTP/1.1\r\nhost").await;
    assert!(rest(&mut half).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn a_connection_may_be_idle_for_so_long() {
    let setup = with(|config| config.balance.limits.keep_alive = SHORT).await;
    let mut idle = open(&setup, b"GET /who HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let answer = rest(&mut idle).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("tc01"), "{answer}");
    assert_eq!(rest(&mut open(&setup, b"").await).await, "", "one that never asks, too");
}

#[tokio::test]
async fn a_connection_that_was_at_rest_goes_on() {
    let setup = with(|_| {}).await;
    let mut tcp = TcpStream::connect(setup.address).await.unwrap();
    let monitor = &setup.monitor;
    let rested = |times| until(move || monitor.balancer().connections_rested >= times);
    for rests in [0, 0, 1, 1] {
        rested(rests).await;
        tcp.write_all(b"POST /who HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc").await.unwrap();
        let mut answer = vec![0; 1_024];
        let count = timeout(PATIENCE, tcp.read(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("tc01"), "{answer}");
    }
    rested(2).await;
    setup.stop.notify_one();
    assert_eq!(rest(&mut tcp).await, "");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_and_is_not_the_nodes_fault() {
    let setup = with(|config| config.balance.limits.body_idle = SHORT).await;
    // Small bodies are gathered, large ones stream.
    for length in [1_000, 1_000_000] {
        let head = format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\nabc");
        let answer = rest(&mut open(&setup, head.as_bytes()).await).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{length}: {answer}");
    }
    let status = setup.status();
    assert_eq!((status[0].failures, status[0].retries), (0, 0));
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_not_waited_for() {
    let setup = with(|config| config.balance.limits.answer_timeout = SHORT).await;
    let answer = setup.send(get("/slow"), "").await;
    assert_eq!(answer.status, 504);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let setup = with(|config| config.balance.limits.write_timeout = SHORT).await;
    let body = vec![b'x'; 16 << 20];
    let head = format!("POST /duplex HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut tcp = open(&setup, head.as_bytes()).await;
    // The node sends back what it gets, and nobody reads that.
    let _ = timeout(PATIENCE, tcp.write_all(&body)).await.expect("the connection ends");
    until(|| setup.status()[0].active == 0).await;
}

#[tokio::test]
async fn headers_are_many_and_bounded() {
    let setup = with(|_| {}).await;
    for (count, status) in [(190, "200"), (210, "431")] {
        let headers: String = (0..count).map(|number| format!("x-{number}: 1\r\n")).collect();
        let request = format!("GET /who HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
        let answer = setup.raw(request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{count}: {answer}");
    }
}

#[tokio::test]
async fn answers_may_have_as_many_headers() {
    let setup = with(|_| {}).await;
    let request = b"GET /many HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert_eq!(setup.raw(request).await.matches("x-many: ").count(), 190);
    let bounded = with(|config| config.balance.limits.headers = 100).await;
    assert_eq!(bounded.send(get("/many"), "").await.status, 502);
}

#[tokio::test]
async fn idle_connections_give_way_to_new_ones() {
    let setup = with(|config| config.balance.limits.connections = 4).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        let mut tcp = open(&setup, b"GET /who HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut answer = [0; 12];
        timeout(PATIENCE, tcp.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        idle.push(tcp);
    }
    let balancer = setup.monitor.balancer();
    assert_eq!((balancer.connections_evicted, balancer.connections_refused), (16, 0));
}

#[tokio::test]
async fn a_connection_that_waits_for_room_is_served_once_there_is_some() {
    let setup = with(|config| config.balance.limits.connections = 1).await;
    let mut busy = open(&setup, b"GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    until(|| setup.nodes[0].log.slow.load(std::sync::atomic::Ordering::SeqCst) == 1).await;
    let mut waiting = open(&setup, b"GET /who HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(timeout(SHORT, waiting.read_u8()).await.is_err(), "there is no room yet");
    setup.nodes[0].log.go_on.notify_one();
    assert!(rest(&mut busy).await.ends_with("tc01"));
    assert!(rest(&mut waiting).await.ends_with("tc01"));
}

#[tokio::test]
async fn a_source_has_so_many_connections_and_trusted_proxies_have_more() {
    for (trusted, wanted) in [(false, 2), (true, 5)] {
        let setup = with(|config| {
            config.balance.limits.connections_per_source = 2;
            if trusted {
                config.balance.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
            }
        })
        .await;
        let mut busy = Vec::new();
        for _ in 0..5 {
            busy.push(open(&setup, b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await);
        }
        until(|| setup.nodes[0].log.slow.load(std::sync::atomic::Ordering::SeqCst) == wanted).await;
        let open =
            futures_util::future::join_all(busy.iter_mut().map(|tcp| timeout(SHORT, tcp.read_u8()))).await;
        assert_eq!(open.iter().filter(|read| read.is_err()).count(), wanted, "the others were closed");
        assert_eq!(setup.monitor.balancer().connections_refused, 5 - wanted as u64);
    }
}

#[tokio::test]
async fn unfinished_bodies_do_not_hold_a_stop() {
    let setup = with(|_| {}).await;
    let head = b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nabc";
    let mut slow = open(&setup, head).await;
    let mut half = open(&setup, b"GET /who HTTP/1.1\r\nhost").await;
    until(|| setup.status()[0].active == 1).await;
    setup.stop.notify_one();
    let answer = rest(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    // It may have been read before the stop or not.
    let answer = rest(&mut half).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    until(|| setup.running.is_finished()).await;
}
