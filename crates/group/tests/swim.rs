//! Membership by gossip on real sockets.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod harness;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use harness::{Setup, TestNode, bind};
use sessile_group::{Membership, Swim, SwimConfig, conformance};

fn gossip<S: AsRef<str>>(seeds: &[S]) -> Box<dyn Membership> {
    let config = SwimConfig {
        bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        seeds: seeds.iter().map(|seed| seed.as_ref().to_owned()).collect(),
        frequency: Duration::from_millis(100),
    };
    Box::new(Swim::new(config).unwrap())
}

#[tokio::test]
async fn gossip_conforms() {
    conformance::membership(|list| gossip(list)).await;
}

#[tokio::test]
async fn gossip_by_one_seed_conforms() {
    conformance::membership(|list| gossip(&list[..1])).await;
}

/// Nodes that know the first one alone, but for the first.
async fn cluster(setup: &Setup, size: usize) -> Vec<TestNode> {
    let listener = bind().await;
    let seed = listener.local_addr().unwrap().to_string();
    let mut nodes = vec![TestNode::start(setup, "n0", listener, gossip(&[&seed])).await];
    for number in 1..size {
        nodes.push(TestNode::start(setup, &format!("n{number}"), bind().await, gossip(&[&seed])).await);
    }
    nodes
}

#[tokio::test]
async fn ten_that_know_one_seed_all_meet() {
    let nodes = cluster(&Setup::secure(), 10).await;
    for (index, node) in nodes.iter().enumerate() {
        for other in &nodes[index + 1..] {
            node.meets(other).await;
        }
    }
}

#[tokio::test]
async fn who_knows_the_name_and_not_the_secret_is_counted_and_stays_out() {
    let setup = Setup::secure();
    let nodes = cluster(&setup, 2).await;
    nodes[0].meets(&nodes[1]).await;
    let intruder = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..20 {
        intruder.send_to(b"some other program's datagram", nodes[0].address).unwrap();
        intruder.send_to(&[], nodes[0].address).unwrap();
    }
    let other_secret =
        Setup { secrets: Some(sessile_group::ClusterSecrets::new([9; 32], vec![])), ..Setup::secure() };
    let stranger =
        TestNode::start(&other_secret, "x", bind().await, gossip(&[nodes[0].address.to_string()])).await;
    nodes[0].until("foreign datagrams", |node| node.group.counters().datagrams.foreign > 20).await;
    stranger.searched().await;
    let tally = nodes[0].group.counters();
    assert_eq!((tally.links_up, tally.links_lost, tally.datagrams.forged), (1, 0, 0), "{tally:?}");
    assert_eq!(stranger.group.counters().links_up, 0);
}

/// An address as gossip writes it, of a process that was never started.
fn gossip_id(address: SocketAddr, incarnation: u32) -> (minicbor::bytes::ByteVec, u32, u32) {
    let mut bytes = vec![127, 0, 0, 1];
    bytes.extend(address.port().to_be_bytes());
    (bytes.into(), incarnation, 0)
}

/// Without secrets anybody can gossip; that alone makes nobody a member.
#[tokio::test]
async fn a_datagram_makes_no_member() {
    let ghost = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let closed = ghost.local_addr().unwrap();
    let node = TestNode::start(&Setup::insecure(), "a", bind().await, gossip::<&str>(&[])).await;
    let announce = (gossip_id(closed, 7), 0_u16, gossip_id(node.address, 0), 6_u8);
    let content = minicbor::bytes::ByteVec::from(minicbor::to_vec(announce).unwrap());
    let mut datagram = vec![1, 0, 0, 0, 0];
    datagram.extend(minicbor::to_vec(("sample", 7_u32, 1_u64, content)).unwrap());
    ghost.send_to(&datagram, node.address).await.unwrap();
    let mut answer = [0; 2000];
    let answered = tokio::time::timeout(harness::LIMIT, ghost.recv(&mut answer)).await;
    answered.expect("the gossip was believed: it is answered").unwrap();
    node.until("an attempt to dial", |node| node.group.counters().dials_closed > 0).await;
    let tally = node.group.counters();
    assert_eq!((tally.links_up, tally.peers.len(), tally.datagrams.heard), (0, 0, 1), "{tally:?}");
}

#[tokio::test]
async fn an_address_that_is_none_is_an_error_with_words() {
    let listener = sessile_group::listen(SocketAddr::from(([0, 0, 0, 0], 0)), false).await.unwrap();
    let identity = sessile_group::Identity {
        name: "a".into(),
        incarnation: harness::new_incarnation(),
        cluster: "sample".into(),
        advertise: listener.local_addr().unwrap(),
        features: 0,
        notice: String::new(),
    };
    let config = sessile_group::GroupConfig {
        identity,
        secrets: None,
        listener,
        channel: sessile_group::ChannelOptions::default(),
    };
    let started = sessile_group::Group::start(config, gossip(&["127.0.0.1:1"])).await;
    assert!(started.unwrap_err().to_string().contains("set `advertise` in [receiver]"));
}
