//! Membership by names, against a name server that the test starts.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod harness;
#[path = "harness/name_server.rs"]
mod name_server;

use std::net::{Ipv4Addr, SocketAddr};

use harness::{Noticed, Setup, TestNode, bind, bind_at};
use name_server::{Mood, NameServer};
use sessile_group::{Dns, DnsConfig, Membership, conformance, listen};

const SERVICE: &str = "_replication._tcp.shop.default.svc.cluster.local";
const HOST: &str = "shop.default.svc.cluster.local";

fn names(server: &NameServer, name: &str) -> Box<dyn Membership> {
    let config = DnsConfig { names: vec![name.to_owned()], resolver: Some(server.address) };
    Box::new(Dns::new(config).unwrap())
}

#[tokio::test]
async fn services_conform() {
    let server = NameServer::start().await;
    conformance::membership(|list| {
        let addresses: Vec<SocketAddr> = list.iter().map(|address| address.parse().unwrap()).collect();
        server.set_services(SERVICE, &addresses, 0);
        names(&server, SERVICE)
    })
    .await;
}

/// Three hosts of this machine with one port, as pods have it.
async fn pods() -> ([tokio::net::TcpListener; 3], u16) {
    'another_port: loop {
        let first = bind().await;
        let port = first.local_addr().unwrap().port();
        let mut pods = vec![first];
        for host in [2, 3] {
            match listen(SocketAddr::from(([127, 0, 0, host], port)), false).await {
                Ok(listener) => pods.push(listener),
                Err(_) => continue 'another_port,
            }
        }
        return (pods.try_into().unwrap(), port);
    }
}

#[tokio::test]
async fn addresses_of_a_host_meet_and_a_returning_pod_is_followed_to_its_new_address() {
    let server = NameServer::start().await;
    let ([at_a, at_b, at_c], port) = pods().await;
    let name = format!("{HOST}:{port}");
    let [a_ip, b_ip, c_ip] = [1, 2, 3].map(|host| Ipv4Addr::new(127, 0, 0, host));
    server.set_addresses(HOST, &[a_ip, b_ip], 0);
    let setup = Setup::secure();
    let a = TestNode::start(&setup, "a", at_a, names(&server, &name)).await;
    let b = TestNode::start(&setup, "b", at_b, names(&server, &name)).await;
    a.meets(&b).await;

    // The pod returns elsewhere, and does not look for anybody: it is found by its name alone.
    let killed = b.incarnation;
    drop(b);
    a.notices(Noticed::Gone(killed)).await;
    server.set_addresses(HOST, &[a_ip, c_ip], 0);
    let b = TestNode::start(&setup, "b", at_c, harness::members(&["127.0.0.3:1"])).await;
    a.meets(&b).await;
}

#[tokio::test]
async fn a_name_server_that_fails_keeps_the_last_view() {
    let server = NameServer::start().await;
    let ([at_a, at_b, _], port) = pods().await;
    let name = format!("{HOST}:{port}");
    server.set_addresses(HOST, &[Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 2)], 0);
    let setup = Setup::secure();
    let address_of_b = at_b.local_addr().unwrap();
    let a = TestNode::start(&setup, "a", at_a, names(&server, &name)).await;
    drop(at_b);
    assert_eq!(a.searched().await, (vec![], vec![]));
    for mood in [Mood::Fails, Mood::Silent] {
        server.feels(mood);
        let before = server.asked_for_addresses(HOST);
        a.until("questions that fail", |_| server.asked_for_addresses(HOST) > before + 1).await;
        // It never looks for anybody: the last view finds it.
        let b = TestNode::start(&setup, "b", bind_at(address_of_b).await, harness::members(&["127.0.0.3:1"]))
            .await;
        a.meets(&b).await;
        let killed = b.incarnation;
        drop(b);
        a.notices(Noticed::Gone(killed)).await;
    }
}

#[tokio::test]
async fn who_cannot_ask_does_not_believe_to_be_alone() {
    let server = NameServer::start().await;
    server.feels(Mood::Fails);
    let a =
        TestNode::start(&Setup::secure(), "a", bind().await, names(&server, &format!("{HOST}:4001"))).await;
    a.until("two questions", |_| server.asked_for_addresses(HOST) > 1).await;
    assert!(!a.noticed().iter().any(|noticed| matches!(noticed, Noticed::Searched { .. })));
    server.feels(Mood::Answers);
    assert_eq!(a.searched().await, (vec![], vec![]), "a name without addresses: nobody is there");
}

#[tokio::test]
async fn an_answer_is_believed_for_its_time_to_live() {
    let server = NameServer::start().await;
    let [short, long] = ["short.example", "long.example"];
    server.set_addresses(short, &[Ipv4Addr::new(127, 0, 0, 9)], 0);
    server.set_addresses(long, &[Ipv4Addr::new(127, 0, 0, 9)], 3600);
    let both = vec![format!("{short}:1"), format!("{long}:1")];
    let dns = Dns::new(DnsConfig { names: both, resolver: Some(server.address) }).unwrap();
    let a = TestNode::start(&Setup::secure(), "a", bind().await, Box::new(dns)).await;
    a.until("the short one again and again", |_| server.asked_for_addresses(short) > 3).await;
    assert_eq!(server.asked_for_addresses(long), 1);
}
