//! TCP: any protocol, here one where the node greets first, as in SMTP, and then echoes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use sessile_balancer::{BackendState, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::setup::{Setup, get, until};

/// A server that greets with its name, echoes, and after the client's end says how much came.
struct Echo {
    address: SocketAddr,
    server: JoinHandle<()>,
    came: Arc<AtomicU64>,
}

impl Echo {
    async fn start(name: &str) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), name).await
    }

    async fn at(address: SocketAddr, name: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (address, greeting) = (listener.local_addr().unwrap(), format!("{name}\n"));
        let came = Arc::new(AtomicU64::new(0));
        let total = Arc::clone(&came);
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                connections.spawn(echo(tcp, greeting.clone(), Arc::clone(&total)));
            }
        });
        Self { address, server, came }
    }

    async fn kill(&mut self) {
        self.server.abort();
        let _ = (&mut self.server).await;
    }
}

async fn echo(mut tcp: TcpStream, greeting: String, total: Arc<AtomicU64>) -> std::io::Result<()> {
    tcp.write_all(greeting.as_bytes()).await?;
    let (mut bytes, mut count) = (vec![0; 4096], 0);
    loop {
        match tcp.read(&mut bytes).await? {
            0 => break,
            length => {
                count += length;
                total.fetch_add(length as u64, SeqCst);
                tcp.write_all(&bytes[..length]).await?;
            }
        }
    }
    tcp.write_all(format!("\ngot {count}").as_bytes()).await
}

/// A TCP balancer in front of the echoes; the HTTP nodes of the setup are not used.
async fn balancer(echoes: &[&Echo], sticky: bool, idle: Duration) -> Setup {
    Setup::start(&vec![1; echoes.len()], |config| {
        config.balance.protocol = Protocol::Tcp;
        config.balance.sticky = sticky;
        config.balance.idle_timeout = idle;
        for (node, echo) in config.nodes.iter_mut().zip(echoes) {
            node.address = echo.address.to_string();
        }
    })
    .await
}

const LONG: Duration = Duration::from_secs(3_600);

/// Connects and reads the greeting.
async fn greeted(setup: &Setup) -> (TcpStream, String) {
    let mut tcp = TcpStream::connect(setup.address).await.unwrap();
    let mut name = [0; 5];
    tcp.read_exact(&mut name).await.unwrap();
    (tcp, String::from_utf8_lossy(&name[..4]).into_owned())
}

#[tokio::test]
async fn a_node_speaks_first_bytes_pass_both_ways_and_an_end_of_one_side_is_not_the_end() {
    let echo = Echo::start("tc01").await;
    let setup = balancer(&[&echo], true, LONG).await;
    let (tcp, name) = greeted(&setup).await;
    assert_eq!(name, "tc01");
    // More than fits into all buffers on the way.
    let sent: Vec<u8> = (0..4_000_000_u32).map(|number| (number % 251) as u8).collect();
    let (mut from, mut to) = tcp.into_split();
    let expected = sent.clone();
    let writing = tokio::spawn(async move {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
        to
    });
    let mut back = Vec::new();
    from.read_to_end(&mut back).await.unwrap();
    assert!(back.starts_with(&expected));
    assert_eq!(&back[expected.len()..], b"\ngot 4000000");
    drop(writing.await.unwrap());
    until(|| setup.status()[0].active == 0).await;
}

#[tokio::test]
async fn round_robin_goes_round_and_an_address_sticks() {
    let (one, two) = (Echo::start("tc01").await, Echo::start("tc02").await);
    let round = balancer(&[&one, &two], false, LONG).await;
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(greeted(&round).await.1);
    }
    assert_eq!(names, ["tc01", "tc02", "tc01", "tc02"]);
    round.control.set_weight("tc02", 3).unwrap();
    names.clear();
    for _ in 0..8 {
        names.push(greeted(&round).await.1);
    }
    assert_eq!(names.iter().filter(|name| *name == "tc02").count(), 6, "{names:?}");

    let sticky = balancer(&[&one, &two], true, LONG).await;
    let first = greeted(&sticky).await.1;
    for _ in 0..5 {
        assert_eq!(greeted(&sticky).await.1, first);
    }
}

#[tokio::test]
async fn a_client_of_a_dead_node_goes_to_the_next_and_stays_there() {
    let (mut one, two) = (Echo::start("tc01").await, Echo::start("tc02").await);
    let setup = Setup::start(&[1, 1], |config| {
        config.balance.protocol = Protocol::Tcp;
        // Only the connection itself can find the node dead.
        config.balance.health_interval = LONG;
        config.nodes[0].address = one.address.to_string();
        config.nodes[1].address = two.address.to_string();
    })
    .await;
    assert_eq!(greeted(&setup).await.1, "tc01");
    one.kill().await;
    assert_eq!(greeted(&setup).await.1, "tc02");
    let status = setup.status();
    assert_eq!((status[0].state, status[0].failed_connects, status[1].retries), (BackendState::Down, 1, 1));
    let _again = Echo::at(one.address, "tc01").await;
    setup.control.resume("tc01").unwrap();
    setup.sees(0, BackendState::Up).await;
    assert_eq!(greeted(&setup).await.1, "tc02", "it stays where it is");
    setup.control.remove("tc02").unwrap();
    assert_eq!(greeted(&setup).await.1, "tc01", "nobody stays at a node that was taken out");
}

#[tokio::test]
async fn a_connection_waits_for_a_node_that_is_on_its_way() {
    let mut echo = Echo::start("tc01").await;
    let setup = balancer(&[&echo], true, LONG).await;
    echo.kill().await;
    setup.sees(0, BackendState::Down).await;
    let mut tcp = TcpStream::connect(setup.address).await.unwrap();
    let _again = Echo::at(echo.address, "tc01").await;
    let mut name = [0; 5];
    tcp.read_exact(&mut name).await.unwrap();
    assert_eq!(&name, b"tc01\n");
}

#[tokio::test]
async fn when_no_node_takes_it_the_connection_is_closed() {
    let mut echo = Echo::start("tc01").await;
    let setup = balancer(&[&echo], true, LONG).await;
    echo.kill().await;
    assert_eq!(setup.raw(b"anybody?").await, "");
}

#[tokio::test]
async fn a_connection_on_which_no_byte_passes_is_closed() {
    let echo = Echo::start("tc01").await;
    let setup = balancer(&[&echo], true, Duration::from_millis(200)).await;
    let (mut idle, _) = greeted(&setup).await;
    assert!(matches!(idle.read(&mut [0]).await, Ok(0) | Err(_)));
    until(|| setup.status()[0].active == 0).await;
}

#[tokio::test]
async fn a_health_path_elsewhere_is_asked_where_one_is_given() {
    let echo = Echo::start("tc01").await;
    let setup = Setup::start(&[1], |config| {
        config.balance.protocol = Protocol::Tcp;
        config.nodes[0].health = Some(config.nodes[0].address.clone());
        config.nodes[0].address = echo.address.to_string();
    })
    .await;
    assert_eq!(greeted(&setup).await.1, "tc01");
    setup.nodes[0].log.health.store(503, SeqCst);
    setup.sees(0, BackendState::Draining).await;
    assert_eq!(setup.raw(b"").await, "");
}

#[tokio::test]
async fn http_is_a_protocol_too() {
    let setup = Setup::start(&[1, 1], |config| {
        config.balance.protocol = Protocol::Tcp;
        config.balance.sticky = false;
    })
    .await;
    let served = [setup.send(get("/who"), "").await.text, setup.send(get("/who"), "").await.text];
    assert_eq!(served, ["tc01", "tc02"]);
}

#[tokio::test]
async fn a_stop_takes_nobody_new_and_lets_connections_end() {
    let echo = Echo::start("tc01").await;
    let mut setup = balancer(&[&echo], true, LONG).await;
    let (mut tcp, _) = greeted(&setup).await;
    setup.stop.notify_one();
    while TcpStream::connect(setup.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    tcp.write_all(b"last words").await.unwrap();
    tcp.shutdown().await.unwrap();
    let mut back = String::new();
    tcp.read_to_string(&mut back).await.unwrap();
    assert_eq!(back, "last words\ngot 10");
    assert_eq!((&mut setup.running).await.unwrap().unfinished, 0);
    assert_eq!(echo.came.load(SeqCst), 10);
}
