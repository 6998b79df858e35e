//! Our own balancer in front of real nodes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::harness::{Setup, free_address, own_host, until};
use crate::{node_of, nodes, one_client_each, other, page, read, until_it_serves, write};

/// Rounds of a write and a read.
const ROUNDS: u64 = 200;

/// Starts the balancer with what the page shows, changed.
fn balancer(setup: &mut Setup, change: impl FnOnce(String) -> String) -> SocketAddr {
    let at = free_address(own_host());
    let text =
        page::block("toml", setup, at).replace("127.0.0.1:8081", &free_address(own_host()).to_string());
    std::fs::write(setup.place().join("lb.toml"), change(text)).expect("writable");
    setup.run("balancer", &["balance", "--config", "lb.toml"]).says(" in front of ");
    until_it_serves(setup, at);
    at
}

/// Every read sees the last write, though the nodes take turns.
fn no_read_is_stale(setup: &Setup, at: SocketAddr) {
    let (mut client, mut served) = (setup.client(), BTreeMap::new());
    for v in 1..=ROUNDS {
        let wrote = write(&mut client, at, v);
        let (found, told) = read(&mut client, at);
        assert_eq!(found, Some(v), "written at {wrote}, read at {told}");
        *served.entry(wrote).or_insert(0) += 1;
        *served.entry(told).or_insert(0) += 1;
    }
    // Other clients, such as the one that waited for the balancer, take turns as well.
    for node in ["tc01", "tc02"] {
        assert!(served[node] >= ROUNDS - 2, "{served:?}");
    }
}

#[test]
fn without_stickiness_no_read_is_stale() {
    let mut setup = nodes();
    let at = balancer(&mut setup, |text| {
        text.replace("[balance]", "[balance]\nsticky = false").replace("weight = 2", "weight = 1")
    });
    no_read_is_stale(&setup, at);
}

#[test]
fn with_the_articles_command_line_no_read_is_stale() {
    let mut setup = nodes();
    let at = free_address(own_host());
    // The servers are those whose files are in the directory.
    setup.run("balancer", &["balance", "-r", "-f", "-d", &at.to_string()]).says("tc02");
    until_it_serves(&setup, at);
    no_read_is_stale(&setup, at);
}

#[test]
fn a_session_and_its_route_move_when_its_node_is_removed() {
    let mut setup = nodes();
    let at = balancer(&mut setup, |text| text);
    let [(mut client, node), _] = one_client_each(&setup, at);
    write(&mut client, at, 5);
    let left = other(&node);
    let mut removed = setup.order(&["balance", "remove", &node, "--config", "lb.toml"]);
    assert_eq!(removed.ended(), Some(0), "{}", removed.err());
    assert!(removed.out().contains(&format!("{node} was removed")), "{}", removed.out());
    for v in 5..10 {
        assert_eq!(read(&mut client, at), (Some(v), left.to_owned()));
        assert!(client.cookie.as_ref().is_some_and(|cookie| cookie.ends_with(&format!(".{left}"))));
        assert_eq!(write(&mut client, at, v + 1), left);
    }
    let home = setup.ports(&node).http.to_string();
    let mut added = setup.order(&["balance", "add", &node, &home, "--config", "lb.toml"]);
    assert_eq!(added.ended(), Some(0), "{}", added.err());
    until("it gets new sessions", || {
        let answer = setup.client().post(at, "/clusterapp/session?cmd=add&name=a&size=64&v=1");
        (node_of(&answer) == node).then_some(())
    });
    assert_eq!(read(&mut client, at), (Some(10), left.to_owned()), "a session stays where it is");
    let mut nodes = setup.order(&["balance", "nodes", "--config", "lb.toml"]);
    assert_eq!(nodes.ended(), Some(0), "{}", nodes.err());
    assert!(
        nodes.out().lines().any(|line| line.starts_with(&node) && line.contains(" up ")),
        "{}",
        nodes.out()
    );
}

#[test]
fn the_balancer_reloads_its_file_on_a_signal() {
    let mut setup = nodes();
    let mut text = String::new();
    let at = balancer(&mut setup, |file| {
        text = file.clone();
        file
    });
    let file = setup.place().join("lb.toml");
    let (only_tc01, _) = text.rsplit_once("[[node]]").expect("two nodes");
    std::fs::write(&file, only_tc01).expect("writable");
    setup.node("balancer").signal("HUP");
    setup.node("balancer").says("the file was read again");
    for _ in 0..4 {
        assert_eq!(write(&mut setup.client(), at, 1), "tc01");
    }
    std::fs::write(&file, "[[node]]\nname = 1\n").expect("writable");
    setup.node("balancer").signal("HUP");
    setup.node("balancer").says("everything stays as it is");
    assert_eq!(write(&mut setup.client(), at, 1), "tc01");
    std::fs::write(&file, text.replace("weight = 2", "weight = 3")).expect("writable");
    let mut reloaded = setup.order(&["balance", "reload", "--config", "lb.toml"]);
    assert_eq!(reloaded.ended(), Some(0), "{}", reloaded.err());
    assert!(reloaded.out().contains("was read again: added tc02"), "{}", reloaded.out());
}
