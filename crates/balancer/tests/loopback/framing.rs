//! Hostile and odd framing: balancer and node agree where a message ends, and slow clients hold up nobody.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::setup::{Setup, get};

/// A request that would reach the node if the end of the one before were disputed.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\nX-Id: smuggled\r\n\r\n";

#[tokio::test]
async fn two_lengths_are_refused() {
    let setup = Setup::pair().await;
    for lengths in [
        "Content-Length: 0\r\nContent-Length: 54",
        "Content-Length: 0, 54",
        "Content-Length: +4",
        "Content-Length: -1",
    ] {
        let request = format!("POST /echo HTTP/1.1\r\nHost: a\r\n{lengths}\r\n\r\n{SMUGGLED}");
        let answer = setup.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lengths}: {answer}");
    }
    assert!(setup.nodes.iter().all(|node| node.log.requests() == 0));
}

#[tokio::test]
async fn chunked_and_a_length_reach_the_node_as_one_length() {
    let setup = Setup::start(&[1], |_| {}).await;
    for length in ["Content-Length: 5", "Content-Length: 500"] {
        for heads in [
            format!("{length}\r\nTransfer-Encoding: chunked"),
            format!("Transfer-Encoding: chunked\r\n{length}"),
        ] {
            let request = format!(
                "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{heads}\r\n\r\n3\r\nabc\r\n0\r\n\r\n{SMUGGLED}"
            );
            let answer = setup.raw(request.as_bytes()).await;
            assert!(answer.contains("content-length: 3\n") && answer.ends_with("\n\nabc"), "{answer}");
            assert!(!answer.contains("transfer-encoding"), "{answer}");
        }
    }
    assert_eq!((setup.nodes[0].log.requests(), setup.nodes[0].log.processed("smuggled")), (4, 0));
}

#[tokio::test]
async fn broken_messages_are_refused_and_reach_no_node() {
    let setup = Setup::pair().await;
    let chunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for request in [
        format!("{chunked}zz\r\nabc\r\n0\r\n\r\n"),
        format!("{chunked}3\r\nabcdef\r\n0\r\n\r\n"),
        format!("{chunked}fffffffffffffffff\r\nabc"),
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc".into(),
        "POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
        "GET /echo HTTP/1.1\r\nHost : a\r\n\r\n".into(),
        "GET /echo HTTP/1.1\r\n\r\n".into(),
        "GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n".into(),
        "GET /echo HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n".into(),
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".into(),
        "nonsense\r\n\r\n".into(),
    ] {
        let answer = setup.raw(request.as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.0 400 "),
            "{request:?}: {answer:?}"
        );
    }
    assert!(setup.nodes.iter().all(|node| node.log.requests() == 0));
}

#[tokio::test]
async fn a_head_over_the_bound_is_refused() {
    let setup = Setup::pair().await;
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let mut tcp = TcpStream::connect(setup.address).await.unwrap();
    // The balancer may end the connection before all is written.
    let _ = tcp.write_all(request.as_bytes()).await;
    let mut answer = [0; 12];
    if tcp.read_exact(&mut answer).await.is_ok() {
        assert_eq!(&answer, b"HTTP/1.1 431");
    }
    assert!(setup.nodes.iter().all(|node| node.log.requests() == 0));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let setup = Setup::pair().await;
    let mut requests = String::new();
    for number in 0..5 {
        requests +=
            &format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nX-Number: {number}\r\n\r\nab");
    }
    requests += "GET /echo HTTP/1.1\r\nHost: a\r\nX-Number: 5\r\nConnection: close\r\n\r\n";
    let answer = setup.raw(requests.as_bytes()).await;
    let numbers: Vec<_> = answer.lines().filter_map(|line| line.strip_prefix("x-number: ")).collect();
    assert_eq!(numbers, ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 6);
}

#[tokio::test]
async fn who_expects_100_continue_gets_it_before_the_body() {
    let setup = Setup::pair().await;
    for size in [5, 100_000] {
        let mut tcp = BufReader::new(TcpStream::connect(setup.address).await.unwrap());
        let head = format!(
            "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: {size}\r\n\r\n"
        );
        tcp.write_all(head.as_bytes()).await.unwrap();
        let mut line = String::new();
        tcp.read_line(&mut line).await.unwrap();
        assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
        tcp.write_all(&vec![b'x'; size]).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("HTTP/1.1 200 OK") && !answer.contains("expect: "), "{answer}");
        assert!(answer.ends_with(&format!("\n\n{}", "x".repeat(size))));
    }
}

#[tokio::test]
async fn an_http_1_0_client_is_served() {
    let setup = Setup::pair().await;
    let answer = setup.raw(b"GET /stream HTTP/1.0\r\n\r\n");
    let go_on = async {
        crate::setup::until(|| setup.nodes[0].log.requests() == 1).await;
        setup.nodes[0].log.go_on.notify_one();
    };
    let (answer, ()) = tokio::join!(answer, go_on);
    assert!(answer.starts_with("HTTP/1.0 200 OK") && answer.ends_with("\r\n\r\nonetwo"), "{answer}");
}

#[tokio::test]
async fn slow_clients_hold_up_nobody() {
    let setup = Setup::pair().await;
    let mut slow = Vec::new();
    for number in 0..200 {
        let mut tcp = TcpStream::connect(setup.address).await.unwrap();
        let part = if number % 2 == 0 {
            "GET /ech"
        } else {
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"
        };
        tcp.write_all(part.as_bytes()).await.unwrap();
        slow.push(tcp);
    }
    for _ in 0..20 {
        assert_eq!(setup.send(get("/echo"), "").await.status, 200);
    }
    // Nodes have not even heard of the slow ones.
    assert_eq!(setup.nodes.iter().map(|node| node.log.requests()).sum::<usize>(), 20);
}

#[tokio::test]
async fn the_body_of_a_get_arrives_though_its_end_is_told_by_chunks() {
    let setup = Setup::pair().await;
    let request = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n0\r\nX-Trailer: a\r\n\r\n";
    let answer = setup.raw(request.as_bytes()).await;
    assert!(answer.contains("hello") && answer.contains("transfer-encoding: chunked"), "{answer}");
}
