//! `sessile balance` as a process.
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
fn balance_prints_its_address_and_node_changes_and_stops() {
    let (_place, mut balancer) = balancer("127.0.0.1:0", free_address(own_host()));
    let address = address(&balancer);
    balancer.says("node down");
    assert!(TcpStream::connect(address).is_ok());
    balancer.signal("TERM");
    assert_eq!(balancer.ended(), Some(0), "{}", balancer.err());
    assert_eq!(balancer.out().lines().count(), 1);
}

#[test]
fn a_second_stop_signal_cuts_running_requests() {
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

/// A server that answers every line with the same line.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind((own_host(), 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for tcp in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || std::io::copy(&mut &tcp, &mut &tcp));
        }
    });
    address
}

/// Sends this text and gives what comes back.
fn said_back(at: SocketAddr, text: &str) -> String {
    let mut tcp = TcpStream::connect(at).expect("the balancer listens");
    tcp.write_all(text.as_bytes()).expect("it reads");
    tcp.shutdown(std::net::Shutdown::Write).expect("it is open");
    let mut back = String::new();
    tcp.read_to_string(&mut back).expect("it answers");
    back
}

/// The address in `tcp://ADDRESS in front of …`.
fn listening(out: &str) -> SocketAddr {
    let address = out.strip_prefix("tcp://").and_then(|rest| rest.split(' ').next());
    address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no address in {out:?}"))
}

#[test]
fn the_articles_command_line_forwards_and_dumps_bytes() {
    let (place, node) = (tempfile::tempdir().expect("a temporary directory"), echo().to_string());
    let mut balancer =
        Running::start(place.path(), ["balance", "-r", "-a", "-f", "-d", "localhost:0", &node]);
    balancer.says(" in front of s1 ");
    let at = listening(&balancer.out());
    assert_eq!(said_back(at, "HELO there\n\u{1}"), "HELO there\n\u{1}");
    balancer.says(" > HELO there");
    balancer.says(" < .");
    balancer.says("cookies and passwords included");
    balancer.signal("TERM");
    assert_eq!(balancer.ended(), Some(0), "{}", balancer.err());
}

/// Ends a process that is not our child.
struct Background(String);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = std::process::Command::new("kill").args(["-KILL", &self.0]).status();
    }
}

#[test]
fn without_f_it_runs_in_the_background_and_prints_its_process_id() {
    let (place, node) = (tempfile::tempdir().expect("a temporary directory"), echo().to_string());
    let mut front = Running::start(place.path(), ["balance", "127.0.0.1:0", &node]);
    assert_eq!(front.ended(), Some(0), "{}", front.err());
    let out = front.out();
    let (_, process) = out.trim_end().rsplit_once("; process ").expect("it says its id");
    let background = Background(process.to_owned());
    assert_eq!(said_back(listening(&out), "hello"), "hello");

    let stop = std::process::Command::new("kill").args(["-TERM", &background.0]).status();
    assert!(stop.expect("every Unix has kill").success());
    let at = listening(&out);
    harness::until("it has stopped", || harness::is_refused(at).then_some(()));
}

#[test]
fn background_start_failures_are_printed_in_the_foreground() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = taken.local_addr().expect("it is bound").to_string();
    let place = tempfile::tempdir().expect("a temporary directory");
    for (arguments, code, words) in [
        (vec!["balance", listen.as_str(), "127.0.0.1:1"], 1, "choose another port"),
        (vec!["balance", "no-such-host.invalid:8080", "127.0.0.1:1"], 1, "the host is unknown"),
        (vec!["balance", "localhost:8080", "nowhere"], 2, "write host:port"),
        (vec!["balance", "localhost:8080"], 2, "no servers"),
        (vec!["balance", "-a", "localhost:8080", "127.0.0.1:1"], 2, "add -f"),
        (vec!["balance", "nodes", "--config", "lb.toml"], 2, "lb.toml"),
    ] {
        let mut front = Running::start(place.path(), &arguments);
        assert_eq!(front.ended(), Some(code), "{arguments:?}: {}", front.err());
        assert!(front.err().contains(words) && front.out().is_empty(), "{arguments:?}: {}", front.err());
    }
}
