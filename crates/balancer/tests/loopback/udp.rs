//! Datagrams: each client on a node of its own, answers go back, a closed port costs little.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sessile_balancer::{
    BackendConfig, BackendMonitor, BackendState, Balancer, BalancerConfig, Protocol, Stopped,
};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::setup::until;

/// A node that answers each datagram with its name and what it got.
async fn echo(name: &'static str, at: &str) -> (SocketAddr, JoinHandle<()>) {
    let socket = UdpSocket::bind(at).await.unwrap();
    let address = socket.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut datagram = [0; 2_048];
        loop {
            // An answer to a client that is gone comes back as an error.
            let Ok((length, client)) = socket.recv_from(&mut datagram).await else { continue };
            let answer = [name.as_bytes(), b" ", &datagram[..length]].concat();
            socket.send_to(&answer, client).await.unwrap();
        }
    });
    (address, serving)
}

async fn balancer(nodes: &[SocketAddr], idle: Duration) -> (SocketAddr, BackendMonitor, JoinHandle<Stopped>) {
    let mut config = BalancerConfig::default();
    config.balance.listen = "127.0.0.1:0".into();
    config.balance.protocol = Protocol::Udp;
    config.balance.sticky = false;
    config.balance.idle_timeout = idle;
    config.balance.health_interval = Duration::from_millis(20);
    for (number, address) in (1..).zip(nodes) {
        config.nodes.push(BackendConfig::new(format!("tc{number:02}"), address.to_string()));
    }
    let balancer = Balancer::bind(config).await.unwrap();
    let (address, monitor) = (balancer.local_addr(), balancer.monitor());
    (address, monitor, tokio::spawn(balancer.run(std::future::pending())))
}

async fn client(at: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(at).await.unwrap();
    socket
}

/// Sends until an answer comes, as a client over UDP must.
async fn ask(socket: &UdpSocket, text: &str) -> String {
    for _ in 0..100 {
        socket.send(text.as_bytes()).await.unwrap();
        let mut answer = [0; 2_048];
        if let Ok(Ok(length)) = timeout(Duration::from_millis(100), socket.recv(&mut answer)).await {
            return String::from_utf8(answer[..length].to_vec()).unwrap();
        }
    }
    panic!("no answer to {text}");
}

#[tokio::test]
async fn a_client_stays_on_its_node_and_clients_take_turns() {
    let ((first, _one), (second, _two)) =
        (echo("tc01", "127.0.0.1:0").await, echo("tc02", "127.0.0.1:0").await);
    let (at, monitor, _running) = balancer(&[first, second], Duration::from_secs(60)).await;
    until(|| monitor.status().iter().all(|node| node.state == BackendState::Up)).await;
    let clients = [client(at).await, client(at).await];
    for number in 0..5 {
        let text = number.to_string();
        assert_eq!(ask(&clients[0], &text).await, format!("tc01 {text}"));
        assert_eq!(ask(&clients[1], &text).await, format!("tc02 {text}"));
    }
    assert_eq!(monitor.status().iter().map(|node| node.active).collect::<Vec<_>>(), [1, 1]);
    assert!(monitor.balancer().requests == 2 && monitor.balancer().bytes_out == 0, "counted at their end");
}

#[tokio::test]
async fn when_a_port_is_closed_its_clients_go_elsewhere() {
    let ((first, one), (second, _two)) =
        (echo("tc01", "127.0.0.1:0").await, echo("tc02", "127.0.0.1:0").await);
    let (at, monitor, _running) = balancer(&[first, second], Duration::from_secs(60)).await;
    until(|| monitor.status().iter().all(|node| node.state == BackendState::Up)).await;
    let client = client(at).await;
    assert_eq!(ask(&client, "a").await, "tc01 a");
    one.abort();
    assert!(one.await.unwrap_err().is_cancelled());
    let answer = ask(&client, "b").await;
    assert_eq!(answer, "tc02 b");
    until(|| monitor.status()[0].state == BackendState::Down).await;
}

#[tokio::test]
async fn a_silent_client_is_forgotten() {
    let (node, _serving) = echo("tc01", "127.0.0.1:0").await;
    let (at, monitor, _running) = balancer(&[node], Duration::from_millis(100)).await;
    until(|| monitor.status()[0].state == BackendState::Up).await;
    let client = Arc::new(client(at).await);
    assert_eq!(ask(&client, "a").await, "tc01 a");
    until(|| monitor.status()[0].active == 0).await;
    assert_eq!(monitor.balancer().bytes_out, 6);
    assert_eq!(ask(&client, "b").await, "tc01 b");
}
