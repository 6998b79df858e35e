//! Each membership through the suite for all of them, and what is special about multicast.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod harness;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::{Setup, TestNode, bind, members};
use sessile_group::{ClusterSecrets, Membership, Multicast, MulticastConfig, conformance};

fn multicast_on(port: u16) -> MulticastConfig {
    let frequency = Duration::from_millis(100);
    let first_search = Duration::from_millis(500);
    let bind = Ipv4Addr::LOCALHOST.into();
    MulticastConfig { port, bind, frequency, first_search, ..MulticastConfig::default() }
}

fn multicast(port: u16) -> Box<dyn Membership> {
    Box::new(Multicast::new(multicast_on(port)))
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A socket that sends to the group as any program on this machine could.
fn intruder() -> UdpSocket {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    socket.into()
}

#[tokio::test]
async fn a_static_list_conforms() {
    conformance::membership(|list| members(list)).await;
}

#[tokio::test]
async fn a_static_list_of_host_names_conforms() {
    conformance::membership(|list| {
        let named: Vec<_> = list.iter().map(|address| address.replace("127.0.0.1", "localhost")).collect();
        members(&named)
    })
    .await;
}

#[tokio::test]
async fn multicast_conforms() {
    let port = free_port();
    conformance::membership(|_| multicast(port)).await;
}

/// The loopback interface of Linux carries no IPv6 multicast. A group of interface scope (`ff11::`) leaves no
/// interface, so any other one of this machine serves as well.
#[tokio::test]
async fn multicast_over_ipv6_conforms() {
    let is_usable = |interface: &if_addrs::Interface| interface.ip().is_ipv6() && !interface.is_loopback();
    let interfaces = if_addrs::get_if_addrs().unwrap();
    let Some(interface) = interfaces.iter().find(|interface| is_usable(interface)) else {
        eprintln!("SKIPPED: no interface of this machine but the loopback one has an IPv6 address");
        return;
    };
    let port = UdpSocket::bind("[::1]:0").unwrap().local_addr().unwrap().port();
    let group = "ff11::5e55".parse().unwrap();
    let config = MulticastConfig { group, bind: interface.ip(), ..multicast_on(port) };
    conformance::membership(|_| Box::new(Multicast::new(config.clone()))).await;
}

#[tokio::test]
async fn two_clusters_on_one_group_and_port_do_not_meet() {
    let port = free_port();
    let setups = [
        Setup::secure(),
        Setup { cluster: "other".into(), ..Setup::secure() },
        Setup { secrets: Some(ClusterSecrets::new([8; 32], vec![])), ..Setup::secure() },
    ];
    let mut clusters = Vec::new();
    for setup in &setups {
        let a = TestNode::start(setup, "a", bind().await, multicast(port)).await;
        let b = TestNode::start(setup, "b", bind().await, multicast(port)).await;
        clusters.push([a, b]);
    }
    for [a, b] in &clusters {
        a.meets(b).await;
        a.until("foreign datagrams", |a| a.group.counters().datagrams.foreign > 5).await;
        let tally = a.group.counters();
        assert_eq!((tally.links_up, tally.accepted), (1, 1));
        assert!(tally.refused.iter().all(|(_, count)| *count == 0), "{tally:?}");
        assert_eq!((tally.datagrams.forged, tally.datagrams.malformed), (0, 0));
    }
}

#[tokio::test]
async fn forged_replayed_and_random_datagrams_are_counted_and_change_nothing() {
    let port = free_port();
    let setup = Setup::secure();
    let ear = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    let group: SocketAddr = (MulticastConfig::default().group, port).into();
    ear.set_reuse_address(true).unwrap();
    ear.set_reuse_port(true).unwrap();
    ear.bind(&group.into()).unwrap();
    let IpAddr::V4(joined) = group.ip() else { panic!("the default group is IPv4") };
    ear.join_multicast_v4(&joined, &Ipv4Addr::LOCALHOST).unwrap();
    ear.set_nonblocking(true).unwrap();
    let ear = tokio::net::UdpSocket::from_std(ear.into()).unwrap();

    let a = TestNode::start(&setup, "a", bind().await, multicast(port)).await;
    let mut heard = vec![0; 2000];
    let length = tokio::time::timeout(harness::LIMIT, ear.recv(&mut heard)).await.unwrap().unwrap();
    heard.truncate(length);
    let b = TestNode::start(&setup, "b", bind().await, multicast(port)).await;
    a.meets(&b).await;
    b.until("a's announcements", |b| b.group.counters().datagrams.heard > 2).await;

    let intruder = intruder();
    let mut forged = heard.clone();
    *forged.last_mut().unwrap() ^= 1;
    for _ in 0..20 {
        intruder.send_to(&heard, group).unwrap();
        intruder.send_to(&forged, group).unwrap();
        intruder.send_to(b"some other program's datagram", group).unwrap();
        intruder.send_to(&[0; 1400], group).unwrap();
        intruder.send_to(&[], group).unwrap();
    }
    let all = |node: &TestNode| {
        let datagrams = node.group.counters().datagrams;
        datagrams.replayed > 0 && datagrams.forged > 0 && datagrams.foreign > 20
    };
    b.until("all counters to rise", all).await;
    assert_eq!(b.group.counters().links_up, 1);
    assert_eq!(b.group.counters().links_lost, 0);
}

/// How often a node may dial one address in `time`: each pause is at least half of 50 ms, doubled after each
/// attempt up to 2 s.
fn attempts_in(time: Duration) -> u64 {
    let (mut attempts, mut pause, mut left) = (1, Duration::from_millis(25), time);
    while left >= pause {
        left -= pause;
        pause = (pause * 2).min(Duration::from_secs(1));
        attempts += 1;
    }
    attempts
}

#[tokio::test]
async fn announcements_of_nobody_cost_a_bounded_number_of_attempts() {
    const ADDRESSES: u64 = 20;
    let (port, setup, began) = (free_port(), Setup::insecure(), std::time::Instant::now());
    let a = TestNode::start(&setup, "a", bind().await, multicast(port)).await;
    // Without secrets anybody can announce anything; these addresses are closed.
    let intruder = intruder();
    let announcement = |n: u32| {
        let address = format!("127.0.0.1:{}", 1 + u64::from(n) % ADDRESSES);
        let mut datagram = vec![1, 0, 0, 0, 0, 0xa5, 0, 0x66];
        datagram.extend(b"sample");
        datagram.extend([1, 0x61, b'x', 2, 0x1a]);
        datagram.extend((1_000_000 + n).to_be_bytes());
        datagram.extend([3, 0x60 + address.len() as u8]);
        datagram.extend(address.as_bytes());
        datagram.extend([4, 1]);
        datagram
    };
    let sent = std::cell::Cell::new(0);
    a.until("the flood", |a| {
        for _ in 0..50 {
            sent.set(sent.get() + 1);
            intruder.send_to(&announcement(sent.get()), (MulticastConfig::default().group, port)).unwrap();
        }
        a.group.counters().datagrams.heard > 3000
    })
    .await;
    let b = TestNode::start(&setup, "b", bind().await, multicast(port)).await;
    a.meets(&b).await;
    let (closed, most) = (a.group.counters().dials_closed, ADDRESSES * attempts_in(began.elapsed()));
    assert!((ADDRESSES..=most).contains(&closed), "{closed} attempts, at most {most}");
}

#[tokio::test]
async fn another_application_that_floods_the_group_keeps_nobody_apart_and_gets_no_answer() {
    let port = free_port();
    let group: SocketAddr = (MulticastConfig::default().group, port).into();
    let (flooding, over) = (intruder(), Arc::new(AtomicBool::new(false)));
    flooding.set_nonblocking(true).unwrap();
    let until_then = Arc::clone(&over);
    let flood = std::thread::spawn(move || {
        let mut sent = 0_u64;
        while !until_then.load(Ordering::Relaxed) {
            // A full buffer loses a datagram, as it would for anybody.
            sent += (0..20).filter(|_| flooding.send_to(&[0x5a; 1200], group).is_ok()).count() as u64;
            std::thread::sleep(Duration::from_millis(1));
        }
        (sent, flooding.recv(&mut [0; 100]).is_ok())
    });
    let setup = Setup::secure();
    let mut nodes = Vec::new();
    for name in ["a", "b", "c"] {
        nodes.push(TestNode::start(&setup, name, bind().await, multicast(port)).await);
    }
    nodes[0].meets(&nodes[1]).await;
    nodes[0].meets(&nodes[2]).await;
    let announcing = |node: &TestNode| {
        let datagrams = node.group.counters().datagrams;
        datagrams.sent > 5 && datagrams.foreign > 100
    };
    for node in &nodes {
        node.until("its announcements, and the flood", announcing).await;
    }
    over.store(true, Ordering::Relaxed);
    let (sent, answered) = flood.join().unwrap();
    assert!(!answered, "no datagram is answered by another");
    for node in &nodes {
        let tally = node.group.counters();
        assert!(tally.datagrams.foreign <= sent && tally.datagrams.forged == 0, "{tally:?}");
        assert_eq!((tally.links_up, tally.links_lost, tally.peers.len()), (2, 0, 2), "{tally:?}");
    }
}

/// Who only heard announcements listens on: they may have been recorded.
#[tokio::test]
async fn a_first_node_listens_before_it_is_alone_and_a_second_one_does_not_wait() {
    let (port, setup) = (free_port(), Setup::secure());
    let long = Duration::from_secs(1);
    let listening = || Box::new(Multicast::new(MulticastConfig { first_search: long, ..multicast_on(port) }));
    let began = std::time::Instant::now();
    let a = TestNode::start(&setup, "a", bind().await, listening()).await;
    a.searched().await;
    assert!(began.elapsed() >= long, "it began alone after {:?}", began.elapsed());
    let never = MulticastConfig { first_search: Duration::from_secs(3600), ..multicast_on(port) };
    let b = TestNode::start(&setup, "b", bind().await, Box::new(Multicast::new(never))).await;
    assert_eq!(b.searched().await.0, [a.incarnation]);
}

#[tokio::test]
async fn what_is_no_group_is_an_error_with_words() {
    let config = MulticastConfig { group: Ipv4Addr::new(10, 0, 0, 1).into(), ..multicast_on(1) };
    let listener = bind().await;
    let identity = sessile_group::Identity {
        name: "a".into(),
        incarnation: harness::new_incarnation(),
        cluster: "sample".into(),
        advertise: listener.local_addr().unwrap(),
        features: 0,
        notice: String::new(),
    };
    let config_of_group = sessile_group::GroupConfig {
        identity,
        secrets: None,
        listener,
        channel: sessile_group::ChannelOptions::default(),
    };
    let started = sessile_group::Group::start(config_of_group, Box::new(Multicast::new(config))).await;
    assert!(started.unwrap_err().to_string().contains("10.0.0.1 is no multicast address"));
}
