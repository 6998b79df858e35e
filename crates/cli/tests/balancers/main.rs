//! Balancers in front of real nodes: ours, and those of others with exactly the configurations that
//! `docs/balancers.md` shows.
#![cfg(unix)]

#[path = "../harness/mod.rs"]
mod harness;

mod ajp;
mod external;
mod ours;
mod page;

use std::net::SocketAddr;

use harness::{Answer, Client, Setup, until};

/// Two nodes with clusterapp that serve, on the way between a kill and its discovery nothing is waited for.
fn nodes() -> Setup {
    let mut setup = Setup::with(["tc01", "tc02"], |_, config| {
        config.replace("drop_time = \"15s\"", "drop_time = \"10m\"")
    });
    setup.serve("tc01");
    setup.serve("tc02");
    setup
}

/// The other of the two.
fn other(node: &str) -> &'static str {
    if node == "tc01" { "tc02" } else { "tc01" }
}

/// Writes `v`; the name of the node that took it.
#[track_caller]
fn write(client: &mut Client, at: SocketAddr, v: u64) -> String {
    let answer = client.post(at, &format!("/clusterapp/session?cmd=add&name=a&size=64&v={v}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    node_of(&answer)
}

/// Reads what was written: the value, and the node that told it.
#[track_caller]
fn read(client: &mut Client, at: SocketAddr) -> (Option<u64>, String) {
    let answer = client.get(at, "/clusterapp/session?cmd=show&name=a");
    assert_eq!(answer.status, 200, "{answer:?}");
    (answer.json()["v"].as_u64(), node_of(&answer))
}

#[track_caller]
fn node_of(answer: &Answer) -> String {
    answer.header("x-node").expect("clusterapp says who it is").to_owned()
}

/// Clients that have a session, one on each node.
#[track_caller]
fn one_client_each(setup: &Setup, at: SocketAddr) -> [(Client, String); 2] {
    let session = || {
        let mut client = setup.client();
        let node = write(&mut client, at, 1);
        (client, node)
    };
    let first = session();
    let second = until("both nodes get sessions", || Some(session()).filter(|(_, node)| *node != first.1));
    [first, second]
}

/// Waits until the balancer answers for the nodes.
#[track_caller]
fn until_it_serves(setup: &Setup, at: SocketAddr) {
    until("the balancer serves", || {
        let asked = setup.client().send(at, "GET", "/clusterapp/session?cmd=show&name=a", &[]);
        asked.is_ok_and(|answer| answer.status == 200).then_some(())
    });
}
