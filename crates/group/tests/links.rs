//! Nodes meet over loopback, exchange frames in order, lose each other and find each other again.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod harness;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use harness::{Noticed, Setup, TestNode, bind, bind_all, bind_at, members};
use parking_lot::Mutex;
use sessile_group::{ChannelOptions, ClusterSecrets, FRAME_LIMIT, HandshakeRefusal, SendError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn pair(setup: &Setup) -> (TestNode, TestNode) {
    let ([a, b], list) = bind_all().await;
    let a = TestNode::start(setup, "a", a, members(&list)).await;
    let b = TestNode::start(setup, "b", b, members(&list)).await;
    a.meets(&b).await;
    (a, b)
}

#[tokio::test]
async fn three_nodes_exchange_frames_in_order_both_ways() {
    for setup in [Setup::secure(), Setup::insecure()] {
        let ([a, b, c], list) = bind_all().await;
        let a = TestNode::start(&setup, "a", a, members(&list)).await;
        let b = TestNode::start(&setup, "b", b, members(&list)).await;
        let c = TestNode::start(&setup, "c", c, members(&list)).await;
        let nodes = [&a, &b, &c];
        for (one, two) in [(&a, &b), (&a, &c), (&b, &c)] {
            one.meets(two).await;
        }
        let frames: Vec<Bytes> =
            (0..500_u32).map(|n| Bytes::from(vec![n as u8; (n as usize * 37) % 5000])).collect();
        for from in nodes {
            for to in nodes.iter().filter(|to| to.incarnation != from.incarnation) {
                for frame in &frames {
                    from.group.send(to.incarnation, 0, frame.clone()).unwrap();
                }
            }
        }
        for to in nodes {
            for from in nodes.iter().filter(|from| from.incarnation != to.incarnation) {
                to.until("all frames", |to| to.frames_from(from.incarnation).len() >= frames.len()).await;
                assert_eq!(to.frames_from(from.incarnation), frames);
            }
        }
    }
}

#[tokio::test]
async fn large_frames_arrive_whole_and_too_large_ones_are_not_taken() {
    let (a, b) = pair(&Setup::secure()).await;
    let large = Bytes::from((0..5_000_000_u32).map(|n| n as u8).collect::<Vec<_>>());
    a.group.send(b.incarnation, 0, large.clone()).unwrap();
    a.group.send(b.incarnation, 0, Bytes::from_static(b"after")).unwrap();
    b.until("both frames", |b| b.frames_from(a.incarnation).len() == 2).await;
    assert_eq!(b.frames_from(a.incarnation)[0], large);
    let too_long = Bytes::from(vec![0; FRAME_LIMIT + 1]);
    assert_eq!(a.group.send(b.incarnation, 0, too_long), Err(SendError::TooLong(FRAME_LIMIT + 1)));
    assert_eq!(a.group.send(99, 0, Bytes::new()), Err(SendError::NotConnected(99)));
}

#[tokio::test]
async fn frames_that_wait_together_are_written_together() {
    for setup in [Setup::secure(), Setup::insecure()] {
        let (a, b) = pair(&setup).await;
        let frames = 2000;
        for _ in 0..frames / 20 {
            for _ in 0..20 {
                a.group.send(b.incarnation, 0, Bytes::from_static(&[1; 100])).unwrap();
            }
            tokio::task::yield_now().await;
        }
        b.until("all frames", |b| b.frames_from(a.incarnation).len() == frames).await;
        let traffic = a.group.counters().traffic;
        assert_eq!((traffic.frames_out, traffic.bytes_out), (frames as u64, frames as u64 * 104));
        assert!(traffic.writes * 10 <= traffic.frames_out, "{traffic:?}");
        assert_eq!(b.group.counters().peers[0].traffic.frames_in, frames as u64);
    }
}

#[tokio::test]
async fn a_killed_process_is_proven_gone_and_its_successor_is_met() {
    let ([a, b], list) = bind_all().await;
    let setup = Setup::secure();
    let a = TestNode::start(&setup, "a", a, members(&list)).await;
    let b = TestNode::start(&setup, "b", b, members(&list)).await;
    a.meets(&b).await;
    let (old, address) = (b.incarnation, b.address);
    b.kill();
    a.notices(Noticed::Gone(old)).await;
    assert_eq!(a.count(&Noticed::Down(old)), 1);
    assert_eq!(a.group.send(old, 0, Bytes::new()), Err(SendError::NotConnected(old)));

    let again = TestNode::start(&setup, "b", bind_at(address).await, members(&list)).await;
    a.meets(&again).await;
    again.send(&a, "back");
    a.receives(&again, &["back"]).await;
}

#[tokio::test]
async fn where_refusals_prove_nothing_only_a_successor_does() {
    let ([a, b], list) = bind_all().await;
    let mut setup = Setup::secure();
    setup.channel.trust_refused = false;
    let a = TestNode::start(&setup, "a", a, members(&list)).await;
    let b = TestNode::start(&setup, "b", b, members(&list)).await;
    a.meets(&b).await;
    let (old, address) = (b.incarnation, b.address);
    b.kill();
    a.notices(Noticed::Down(old)).await;
    let before = a.group.counters().dials_closed;
    a.until("refused dials", |a| a.group.counters().dials_closed >= before + 2).await;
    assert_eq!(a.count(&Noticed::Gone(old)), 0);
    let again = TestNode::start(&setup, "b", bind_at(address).await, members(&list)).await;
    a.notices(Noticed::Up(again.incarnation)).await;
    assert_eq!(a.count(&Noticed::Gone(old)), 1);
}

/// Carries bytes between a client and `target` until it is told to cut.
struct Proxy {
    address: SocketAddr,
    cut: tokio::sync::watch::Sender<u32>,
}

impl Proxy {
    async fn to(target: SocketAddr) -> Self {
        let listener = bind().await;
        let address = listener.local_addr().unwrap();
        let cut = tokio::sync::watch::Sender::new(0);
        let cuts = cut.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut cut = cuts.subscribe();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, cut }
    }
}

#[tokio::test]
async fn a_cut_link_is_dialed_again() {
    let setup = Setup::secure();
    let b = TestNode::start(&setup, "b", bind().await, members::<&str>(&[])).await;
    let proxy = Proxy::to(b.address).await;
    let a = TestNode::start(&setup, "a", bind().await, members(&[proxy.address.to_string()])).await;
    a.meets(&b).await;
    a.send(&b, "one");
    b.receives(&a, &["one"]).await;
    proxy.cut.send_modify(|cuts| *cuts += 1);
    a.notices(Noticed::Down(b.incarnation)).await;
    a.until("the link to be up again", |a| a.count(&Noticed::Up(b.incarnation)) == 2).await;
    a.send(&b, "two");
    b.receives(&a, &["one", "two"]).await;
    assert_eq!(a.count(&Noticed::Gone(b.incarnation)), 0);
}

#[tokio::test]
async fn the_forgotten_are_met_again_and_the_barred_are_refused() {
    let (a, b) = pair(&Setup::secure()).await;
    a.group.forget(b.incarnation);
    assert_eq!(a.group.send(b.incarnation, 0, Bytes::new()), Err(SendError::NotConnected(b.incarnation)));
    a.until("a second meeting", |a| a.count(&Noticed::Up(b.incarnation)) == 2).await;
    assert_eq!(a.count(&Noticed::Down(b.incarnation)), 0, "who is forgotten is not reported");
    a.until("b's new connection", |a| a.count(&Noticed::Inbound(b.incarnation)) == 2).await;

    a.group.bar(b.incarnation);
    a.until("a refusal", |a| a.group.counters().refused_for(HandshakeRefusal::Barred) > 0).await;
    assert_eq!(a.count(&Noticed::Up(b.incarnation)), 2);
}

#[tokio::test]
async fn a_reader_that_stops_fills_a_bounded_queue_and_hinders_nobody() {
    let mut setup = Setup::insecure();
    setup.channel.queue_bytes = 1 << 20;
    // It accepts, says its HELLO, and never reads again: frames to it pile up in `a`.
    let listener = bind().await;
    let stuck_address = listener.local_addr().unwrap();
    let stuck = tokio::spawn(stuck_member(listener, 77, stuck_address, Arc::default()));
    let b = TestNode::start(&setup, "b", bind().await, members::<&str>(&[])).await;
    let list = [stuck_address.to_string(), b.address.to_string()];
    let a = TestNode::start(&setup, "a", bind().await, members(&list)).await;
    a.notices(Noticed::Up(77)).await;
    a.meets(&b).await;
    let frame = Bytes::from(vec![0; 10_000]);
    let full = loop {
        match a.group.send(77, 0, frame.clone()) {
            Ok(()) => tokio::task::yield_now().await,
            Err(full) => break full,
        }
    };
    assert!(matches!(full, SendError::QueueFull { to: 77, bytes } if bytes <= 1 << 20));
    assert!(a.group.queued(77).bytes > 900_000);
    a.send(&b, "on time");
    b.receives(&a, &["on time"]).await;
    assert_eq!(a.group.queued(b.incarnation).bytes, 0);
    stuck.abort();
}

/// The least that counts as a member without secrets, written by hand from the protocol.
async fn stuck_member(
    listener: TcpListener,
    incarnation: u8,
    address: SocketAddr,
    held: Arc<Mutex<Vec<TcpStream>>>,
) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut header = [0; 8];
        stream.read_exact(&mut header).await.unwrap();
        let mut body = vec![0; usize::from(u16::from_be_bytes([header[6], header[7]]))];
        stream.read_exact(&mut body).await.unwrap();
        let mut hello = vec![0xa5, 0, 0x66];
        hello.extend(b"sample");
        hello.extend([1, 0x65]);
        hello.extend(b"stuck");
        hello.extend([2, 0x18, incarnation, 3, 0x60 + address.to_string().len() as u8]);
        hello.extend(address.to_string().as_bytes());
        hello.extend([4, 0]);
        let mut answer = b"SESL\x01\x01".to_vec();
        answer.extend((hello.len() as u16).to_be_bytes());
        answer.extend(hello);
        stream.write_all(&answer).await.unwrap();
        held.lock().push(stream);
    }
}

#[tokio::test]
async fn a_successor_at_the_same_address_proves_a_half_open_link_dead() {
    let setup = Setup::insecure();
    let listener = bind().await;
    let address = listener.local_addr().unwrap();
    let keep = Arc::new(Mutex::new(Vec::new()));
    let vanished = tokio::spawn(stuck_member(listener, 77, address, keep.clone()));
    let a = TestNode::start(&setup, "a", bind().await, members(&[address.to_string()])).await;
    a.notices(Noticed::Up(77)).await;
    // Its machine lost power: no connection was closed, and it starts again.
    vanished.abort();
    let b = TestNode::start(&setup, "b", bind_at(address).await, members(&[a.address.to_string()])).await;
    a.meets(&b).await;
    let order = [Noticed::Down(77), Noticed::Gone(77), Noticed::Up(b.incarnation)];
    let noticed: Vec<_> = a.noticed().into_iter().filter(|noticed| order.contains(noticed)).collect();
    assert_eq!(noticed, order);
    assert_eq!(keep.lock().len(), 1);
}

#[tokio::test]
async fn what_waits_is_written_before_a_stop() {
    let (a, b) = pair(&Setup::secure()).await;
    for _ in 0..200 {
        a.group.send(b.incarnation, 0, Bytes::from(vec![1; 10_000])).unwrap();
    }
    a.group.stop().await;
    b.until("all frames", |b| b.frames_from(a.incarnation).len() == 200).await;
    b.notices(Noticed::Gone(a.incarnation)).await;
}

#[tokio::test]
async fn the_same_incarnation_is_refused_and_the_same_name_is_not() {
    let setup = Setup::secure();
    let a = TestNode::start(&setup, "a", bind().await, members::<&str>(&[])).await;
    let list = [a.address.to_string()];
    let twin = TestNode::start(&setup, "a", bind().await, members(&list)).await;
    a.meets(&twin).await;
    let clash = TestNode::start_incarnation(&setup, "c", a.incarnation, bind().await, members(&list)).await;
    a.until("a refusal", |a| a.group.counters().refused_for(HandshakeRefusal::Incarnation) > 0).await;
    assert_eq!(clash.searched().await, (vec![], vec![]));
}

#[tokio::test]
async fn a_search_goes_on_while_somebody_accepts_and_says_nothing() {
    let setup = Setup {
        channel: ChannelOptions { search_timeout: Duration::from_millis(500), ..Setup::secure().channel },
        ..Setup::secure()
    };
    let alone = TestNode::start(&setup, "a", bind().await, members::<&str>(&[])).await;
    assert_eq!(alone.searched().await, (vec![], vec![]));

    // Accepted by the system, never answered: what a stopped process looks like.
    let mute = bind().await;
    let closed = bind().await.local_addr().unwrap();
    let own = bind().await;
    let at_mute = mute.local_addr().unwrap();
    let list = [alone.address, at_mute, closed, own.local_addr().unwrap()].map(|a| a.to_string());
    let b = TestNode::start(&setup, "b", own, members(&list)).await;
    b.notices(Noticed::Silent(vec![at_mute])).await;
    assert!(!b.noticed().iter().any(|noticed| matches!(noticed, Noticed::Searched { .. })));
    assert!(b.group.counters().refused_for(HandshakeRefusal::Silent) > 0);
    drop(mute);
    assert_eq!(b.searched().await, (vec![alone.incarnation], vec![]));
    assert_eq!(b.count(&Noticed::Silent(vec![at_mute])), 1);
}

#[tokio::test]
async fn ten_nodes_that_start_at_once_all_see_each_other() {
    let setup = Setup::secure();
    let (listeners, list) = bind_all::<10>().await;
    let starting = listeners.into_iter().enumerate().map(|(n, listener)| {
        let (setup, list) = (setup.clone(), list.clone());
        tokio::spawn(async move { TestNode::start(&setup, &format!("n{n}"), listener, members(&list)).await })
    });
    let starting: Vec<_> = starting.collect();
    let mut nodes = Vec::new();
    for node in starting {
        nodes.push(node.await.unwrap());
    }
    for one in &nodes {
        for two in nodes.iter().filter(|two| two.incarnation != one.incarnation) {
            one.notices(Noticed::Up(two.incarnation)).await;
        }
        assert_eq!(one.group.counters().links_lost, 0);
    }
}

#[tokio::test]
async fn secrets_are_exchanged_and_no_link_is_cut() {
    let secrets = |active: u8, accepted: &[u8]| {
        ClusterSecrets::new([active; 32], accepted.iter().map(|byte| [*byte; 32]).collect())
    };
    let with = |secrets| Setup { secrets: Some(secrets), ..Setup::secure() };
    let (a, b) = pair(&with(secrets(7, &[]))).await;
    for step in [secrets(7, &[8]), secrets(8, &[7])] {
        for node in [&a, &b] {
            node.group.renew_secrets(&step).unwrap();
        }
    }
    let list = [a.address.to_string(), b.address.to_string()];
    let old = TestNode::start(&with(secrets(7, &[8])), "old", bind().await, members(&list)).await;
    old.meets(&a).await;
    for node in [&a, &b] {
        node.group.renew_secrets(&secrets(8, &[])).unwrap();
    }
    let new = TestNode::start(&with(secrets(8, &[])), "new", bind().await, members(&list)).await;
    new.meets(&a).await;
    new.meets(&b).await;
    let late = TestNode::start(&with(secrets(7, &[])), "late", bind().await, members(&list)).await;
    assert_eq!(late.searched().await.0, [], "who only knows the old secret is refused");
    a.until("a refusal", |a| a.group.counters().refused_for(HandshakeRefusal::Untrusted) > 0).await;
    a.send(&b, "still here");
    b.receives(&a, &["still here"]).await;
    assert_eq!((a.count(&Noticed::Down(b.incarnation)), b.count(&Noticed::Down(a.incarnation))), (0, 0));
}
