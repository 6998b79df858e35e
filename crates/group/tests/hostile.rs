//! Strangers on the port: wrong secrets, other clusters, hostile bytes, and peers that only hold a place.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod harness;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use harness::{Noticed, Setup, TestNode, bind, members};
use sessile_group::{ClusterSecrets, HandshakeRefusal, SendError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn with_secrets(active: u8, accepted: &[u8]) -> Setup {
    let accepted = accepted.iter().map(|n| [*n; 32]).collect();
    Setup { secrets: Some(ClusterSecrets::new([active; 32], accepted)), ..Setup::secure() }
}

/// `stranger` dials `node`; both sides count the cause, and neither meets the other.
async fn refuses(node: &Setup, stranger: &Setup, cause: HandshakeRefusal) {
    let a = TestNode::start(node, "a", bind().await, members::<&str>(&[])).await;
    let b = TestNode::start(stranger, "b", bind().await, members(&[a.address.to_string()])).await;
    a.until("a refusal", |a| a.group.counters().refused_for(cause) > 0).await;
    // To one that speaks TLS, one that closes without a word of TLS is silent; all others answer as
    // strangers.
    if stranger.secrets.is_some() && node.secrets.is_none() {
        b.notices(Noticed::Silent(vec![a.address])).await;
    } else {
        assert_eq!(b.searched().await, (vec![], vec![]));
        assert_eq!(b.group.counters().strangers[0].0, a.address);
    }
    assert_eq!(a.searched().await, (vec![], vec![]));
    assert_eq!((a.group.counters().accepted, b.group.counters().links_up), (0, 0));
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    refuses(&with_secrets(1, &[]), &with_secrets(2, &[]), HandshakeRefusal::Untrusted).await;
}

#[tokio::test]
async fn the_right_secret_of_another_cluster_is_refused() {
    let other = |setup: Setup| Setup { cluster: "other".into(), ..setup };
    refuses(&Setup::secure(), &other(Setup::secure()), HandshakeRefusal::Untrusted).await;
    refuses(&Setup::insecure(), &other(Setup::insecure()), HandshakeRefusal::Cluster).await;
}

#[tokio::test]
async fn secure_and_insecure_nodes_do_not_mix() {
    refuses(&Setup::secure(), &Setup::insecure(), HandshakeRefusal::Untrusted).await;
    refuses(&Setup::insecure(), &Setup::secure(), HandshakeRefusal::Malformed).await;
}

#[tokio::test]
async fn a_rotation_keeps_the_cluster_together() {
    let a = TestNode::start(&with_secrets(1, &[2]), "a", bind().await, members::<&str>(&[])).await;
    let list = [a.address.to_string()];
    let b = TestNode::start(&with_secrets(2, &[1]), "b", bind().await, members(&list)).await;
    a.meets(&b).await;
    let c = TestNode::start(&with_secrets(1, &[2]), "c", bind().await, members(&list)).await;
    a.meets(&c).await;
}

#[tokio::test]
async fn hostile_bytes_and_giant_lengths_are_counted_and_disturb_nobody() {
    for (setup, cause) in
        [(Setup::secure(), HandshakeRefusal::Untrusted), (Setup::insecure(), HandshakeRefusal::Malformed)]
    {
        let a = TestNode::start(&setup, "a", bind().await, members::<&str>(&[])).await;
        let floods: [&[u8]; 5] = [
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            &[0xff; 64 << 10],
            &[0; 64 << 10],
            b"\x16\x03\x01\xff\xff\x01\xff\xff\xff this is a record as long as can be",
            b"SESL\x01\x01\xff\xff a HELLO as long as can be",
        ];
        for bytes in floods {
            let mut stream = TcpStream::connect(a.address).await.unwrap();
            // The node may close before it has read all of it.
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.len() < 100, "an answer is never larger than the question");
        }
        a.until("the refusals", |a| a.group.counters().refused_for(cause) >= 3).await;
        let b = TestNode::start(&setup, "b", bind().await, members(&[a.address.to_string()])).await;
        a.meets(&b).await;
    }
}

#[tokio::test]
async fn slow_drips_make_room_for_members_and_are_ended() {
    let mut setup = Setup::secure();
    setup.channel.handshake_timeout = Duration::from_secs(5);
    let a = TestNode::start(&setup, "a", bind().await, members::<&str>(&[])).await;
    let mut drips = Vec::new();
    for _ in 0..100 {
        drips.push(tokio::spawn(drip(a.address)));
    }
    a.until("evictions", |a| a.group.counters().refused_for(HandshakeRefusal::Crowded) > 50).await;
    let b = TestNode::start(&setup, "b", bind().await, members(&[a.address.to_string()])).await;
    a.meets(&b).await;
    for drip in drips {
        tokio::time::timeout(harness::LIMIT, drip).await.expect("every drip is ended").unwrap();
    }
    assert_eq!(a.count(&Noticed::Inbound(b.incarnation)), 1);
}

/// Sends a plausible TLS record byte by byte until the other side closes.
async fn drip(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = b"\x16\x03\x01\x40\x00\x01".iter().chain(std::iter::repeat(&0));
    let mut answer = [0; 64];
    loop {
        let byte = *bytes.next().unwrap();
        if stream.write_all(&[byte]).await.is_err() {
            return;
        }
        let read = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut answer)).await;
        if let Ok(Ok(0) | Err(_)) = read {
            return;
        }
    }
}

/// What the process `x` of incarnation 0x10000 says first, without secrets.
fn hello(advertise: SocketAddr) -> Vec<u8> {
    let address = advertise.to_string();
    let mut body = vec![0xa5, 0, 0x66];
    body.extend(b"sample");
    body.extend([1, 0x61, b'x', 2, 0x1a, 0, 1, 0, 0, 3, 0x60 + address.len() as u8]);
    body.extend(address.as_bytes());
    body.extend([4, 0]);
    let length = (body.len() as u16).to_be_bytes();
    [b"SESL\x01\x01", &length[..], &body].concat()
}

#[tokio::test]
async fn a_member_that_breaks_the_framing_loses_only_its_connection() {
    // Without secrets a stranger may claim to be a member; with them, a faulty member may do the same.
    let setup = Setup::insecure();
    let a = TestNode::start(&setup, "a", bind().await, members::<&str>(&[])).await;
    let b = TestNode::start(&setup, "b", bind().await, members(&[a.address.to_string()])).await;
    a.meets(&b).await;
    let mut stream = TcpStream::connect(a.address).await.unwrap();
    stream.write_all(&hello(bind().await.local_addr().unwrap())).await.unwrap();
    stream.write_all(b"\x00\x00\x00\x02ok").await.unwrap();
    stream.write_all(&[0xff; 100]).await.unwrap();
    a.notices(Noticed::Inbound(1 << 16)).await;
    a.notices(Noticed::InboundEnded(1 << 16)).await;
    assert_eq!(a.frames_from(1 << 16), ["ok"]);
    b.send(&a, "still here");
    a.receives(&b, &["still here"]).await;
}

#[tokio::test]
async fn a_member_that_sends_byte_by_byte_is_understood_and_holds_up_nobody() {
    let setup = Setup::insecure();
    let a = TestNode::start(&setup, "a", bind().await, members::<&str>(&[])).await;
    let b = TestNode::start(&setup, "b", bind().await, members(&[a.address.to_string()])).await;
    a.meets(&b).await;
    let mut stream = TcpStream::connect(a.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let frame = [&200_u32.to_be_bytes()[..], &[b'.'; 200]].concat();
    let said = [&hello(bind().await.local_addr().unwrap())[..], &frame].concat();
    for (number, byte) in said.iter().enumerate() {
        stream.write_all(&[*byte]).await.unwrap();
        if number % 50 == 0 {
            b.send(&a, "honest");
        }
        tokio::task::yield_now().await;
    }
    a.until("the whole frame", |a| a.frames_from(1 << 16).first().is_some_and(|frame| frame.len() == 200))
        .await;
    a.until("all that was honest", |a| a.frames_from(b.incarnation).len() == said.len().div_ceil(50)).await;
}

#[tokio::test]
async fn a_storm_of_resets_cuts_no_link() {
    let setup = Setup::secure();
    let a = TestNode::start(&setup, "a", bind().await, members::<&str>(&[])).await;
    let b = TestNode::start(&setup, "b", bind().await, members(&[a.address.to_string()])).await;
    a.meets(&b).await;
    for number in 0..300_usize {
        let mut stream = TcpStream::connect(a.address).await.unwrap();
        // Closing it now is a reset, in the middle of the first record or before it.
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        let _ = stream.write_all(&b"\x16\x03\x01\x40\x00\x01"[..number % 7]).await;
        drop(stream);
        b.send(&a, "honest");
    }
    a.until("all that was honest", |a| a.frames_from(b.incarnation).len() == 300).await;
    let ended = |a: &TestNode| {
        let tally = a.group.counters();
        tally.refused_for(HandshakeRefusal::Silent) + tally.refused_for(HandshakeRefusal::Crowded) > 250
    };
    a.until("the handshakes' ends", ended).await;
    let tally = a.group.counters();
    assert_eq!((tally.links_up, tally.links_lost, tally.accepted), (1, 0, 1));
}

#[tokio::test]
async fn a_member_that_never_reads_costs_a_bounded_queue_and_holds_up_nobody() {
    let mut setup = Setup::insecure();
    setup.channel.queue_bytes = 1 << 20;
    let deaf = bind().await;
    let address = deaf.local_addr().unwrap();
    let a = TestNode::start(&setup, "a", bind().await, members(&[address.to_string()])).await;
    let (mut stream, _) = deaf.accept().await.unwrap();
    stream.write_all(&hello(address)).await.unwrap();
    a.notices(Noticed::Up(1 << 16)).await;
    let b = TestNode::start(&setup, "b", bind().await, members(&[a.address.to_string()])).await;
    a.meets(&b).await;
    let frame = Bytes::from(vec![0; 64 << 10]);
    let full = loop {
        // What the system takes off the queue is bounded, too.
        match a.group.send(1 << 16, 0, frame.clone()) {
            Ok(()) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(full, SendError::QueueFull { bytes, .. } if bytes <= setup.channel.queue_bytes),
        "{full}"
    );
    a.send(&b, "still here");
    b.receives(&a, &["still here"]).await;
    drop((stream, deaf));
    a.notices(Noticed::Down(1 << 16)).await;
}

#[tokio::test]
async fn a_recorded_connection_is_worth_nothing() {
    let setup = Setup::secure();
    let a = TestNode::start(&setup, "a", bind().await, members::<&str>(&[])).await;
    let road = bind().await;
    let b =
        TestNode::start(&setup, "b", bind().await, members(&[road.local_addr().unwrap().to_string()])).await;
    let recorded = tokio::spawn(record(road, a.address));
    a.meets(&b).await;
    b.send(&a, "heard once");
    a.receives(&b, &["heard once"]).await;
    b.kill();
    let recorded = tokio::time::timeout(harness::LIMIT, recorded).await.unwrap().unwrap();
    let accepted = a.group.counters().accepted;
    let mut stream = TcpStream::connect(a.address).await.unwrap();
    let _ = stream.write_all(&recorded).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(harness::LIMIT, stream.read_to_end(&mut answer)).await.expect("it is ended");
    a.until("the refusal", |a| a.group.counters().refused_for(HandshakeRefusal::Untrusted) > 0).await;
    assert_eq!(a.group.counters().accepted, accepted);
}

/// Carries one connection to `to` until its end, and gives what the caller said.
async fn record(road: TcpListener, to: SocketAddr) -> Vec<u8> {
    let (caller, _) = road.accept().await.unwrap();
    let (mut said, mut back) = caller.into_split();
    let (mut answers, mut forth) = TcpStream::connect(to).await.unwrap().into_split();
    let returning = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
    let (mut recorded, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = said.read(&mut part).await {
        recorded.extend_from_slice(&part[..length]);
        if forth.write_all(&part[..length]).await.is_err() {
            break;
        }
    }
    returning.abort();
    recorded
}
