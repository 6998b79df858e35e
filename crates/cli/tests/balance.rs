//! `sessile balance`, run as people run it.
#![cfg(unix)]

mod harness;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;

use harness::{Client, Running, Secrets, free_address, own_host};
use tempfile::TempDir;

/// A balancer of one node, whose address it prints first.
fn balancer(listen: &str, node: SocketAddr) -> (TempDir, Running) {
    let place = tempfile::tempdir().expect("a temporary directory");
    let file = format!(
        "[balance]\nlisten = \"{listen}\"\nhealth_interval = \"20ms\"\n[[node]]\nname = \"tc01\"\naddress = \"{node}\"\n"
    );
    std::fs::write(place.path().join("lb.toml"), file).expect("writable");
    let balancer = Running::start(place.path(), ["balance", "--config", "lb.toml"]);
    (place, balancer)
}

fn address(balancer: &Running) -> SocketAddr {
    balancer.says(" in front of tc01 ");
    let out = balancer.out();
    let (address, _) = out.trim_start_matches("http://").split_once(' ').expect("an address and the nodes");
    address.parse().expect("an address")
}

/// A node that is ready and answers nothing but that, and what tells that another request came.
fn silent_node() -> (SocketAddr, mpsc::Receiver<()>) {
    let listener = TcpListener::bind((own_host(), 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (came, asked) = mpsc::channel();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for mut tcp in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4096];
            let length = tcp.read(&mut head).unwrap_or(0);
            if head[..length].starts_with(b"GET /.sessile/ready ") {
                let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            } else {
                silent.push(tcp);
                let _ = came.send(());
            }
        }
    });
    (address, asked)
}

#[test]
fn it_says_where_it_listens_and_what_becomes_of_nodes_and_stops_when_asked() {
    let (_place, mut balancer) = balancer("127.0.0.1:0", free_address(own_host()));
    let address = address(&balancer);
    balancer.says("node down");
    assert!(TcpStream::connect(address).is_ok());
    balancer.signal("TERM");
    assert_eq!(balancer.ended(), Some(0), "{}", balancer.err());
    assert_eq!(balancer.out().lines().count(), 1);
}

#[test]
fn a_second_wish_cuts_what_still_runs() {
    let (node, asked) = silent_node();
    let (_place, mut balancer) = balancer("127.0.0.1:0", node);
    let address = address(&balancer);
    balancer.says("node up");
    let waiting = std::thread::spawn(move || Client::new(Secrets::default()).send(address, "GET", "/", &[]));
    asked.recv().expect("the node was asked");
    balancer.signal("INT");
    balancer.says("stopping");
    assert!(balancer.is_alive(), "a request still runs");
    balancer.signal("INT");
    assert_eq!(balancer.ended(), Some(3), "{}", balancer.err());
    assert!(waiting.join().expect("no panic").is_err(), "the request was cut");
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = taken.local_addr().expect("it is bound").to_string();
    let (_place, mut balancer) = balancer(&listen, free_address(own_host()));
    assert_eq!((balancer.ended(), balancer.out().as_str()), (Some(1), ""));
    assert!(balancer.err().contains(&listen) && balancer.err().contains("choose another port"));
}
