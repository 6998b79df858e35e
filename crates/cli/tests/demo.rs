//! The demo as a process: the check, a taken port, a killed demo.

mod harness;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};

use harness::{Client, Running, Secrets, free_block, is_refused, until};
use tempfile::TempDir;

/// Address of `name` in what the check printed.
fn address(said: &str, name: &str) -> Option<SocketAddr> {
    let line = said.lines().find(|line| line.trim_start().starts_with(name))?;
    line.split_once("http://")?.1.split_whitespace().next()?.parse().ok()
}

fn scratch() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn a_round_of_the_check_loses_nothing() {
    let place = scratch();
    let mut demo = Running::start(place.path(), ["demo", "--check", "--rounds", "1", "--seed", "1"]);
    assert_eq!(demo.ended(), Some(0), "{}{}", demo.out(), demo.err());
    let said = demo.out();
    for words in ["round   1", "0 lost", "0 doubled", "passed: 1 rounds with seed 1"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let left = std::fs::read_dir(place.path()).expect("readable").count();
    assert_eq!(left, 0, "only a failure leaves something");
}

#[test]
fn nodes_end_with_the_demo_however_it_ends() {
    let place = scratch();
    let mut demo = Running::start(place.path(), ["demo", "--check", "--rounds", "1000", "--seed", "2"]);
    demo.says("balancer  http://");
    let said = demo.out();
    let nodes = ["tc01", "tc02"].map(|name| address(&said, name).expect("it says where they are"));
    demo.kill();
    for node in nodes {
        until("the node is gone", || is_refused(node).then_some(()));
    }
    let files = said.lines().find_map(|line| line.trim().strip_prefix("files in ")).expect("it says where");
    std::fs::remove_dir_all(files).expect("what a killed demo leaves is its files");
}

#[test]
fn a_taken_port_fails_before_any_process_starts() {
    // Whether this holds it, or somebody else does: it is taken.
    let _holder = TcpListener::bind("127.0.0.1:8080");
    let mut demo = Running::start(scratch().path(), ["demo"]);
    assert_eq!(demo.ended(), Some(1));
    for words in ["127.0.0.1:8080", "the balancer", "--check"] {
        assert!(demo.err().contains(words), "{words}: {}", demo.err());
    }
}

#[test]
fn rounds_and_seed_belong_to_the_check() {
    for arguments in [["demo", "--seed", "1"], ["demo", "--rounds", "3"]] {
        let mut demo = Running::start(scratch().path(), arguments);
        assert_eq!(demo.ended(), Some(2), "{}", demo.out());
    }
}

#[test]
fn a_demo_on_other_ports_takes_commands() {
    let base = free_block();
    let mut demo = Running::start(scratch().path(), ["demo", "--port-base", &base.to_string()]);
    demo.says(&format!("Open http://localhost:{base}/clusterapp/"));
    let balancer = SocketAddr::from(([127, 0, 0, 1], base));
    let start = Client::new(Secrets::default()).get(balancer, "/");
    assert_eq!((start.status, start.header("location")), (303, Some("/clusterapp/")));
    writeln!(demo.input.as_mut().expect("it reads"), "help\nstatus").expect("it reads");
    demo.says("restart NAME");
    demo.says("MEMBERS");
    until("both see each other", || {
        demo.out().matches("tc01 tc02").nth(1).map(drop).or_else(|| {
            writeln!(demo.input.as_mut()?, "status").ok()?;
            None
        })
    });
    writeln!(demo.input.as_mut().expect("it reads"), "quit").expect("it reads");
    assert_eq!(demo.ended(), Some(0), "{}{}", demo.out(), demo.err());
}
