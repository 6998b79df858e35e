//! Graceful stops of a node.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::harness::{Client, Setup, free_address, is_refused, own_host, until};
use crate::operating::{succeeds, verb};
use crate::{patient, peek, read, write};

/// A request that came and whose body does not: it runs until it is cut.
pub(crate) fn stuck_request(setup: &Setup, name: &str) -> TcpStream {
    let at = setup.ports(name).http;
    let mut tcp = TcpStream::connect(at).expect("the node serves");
    let head = format!(
        "POST /clusterapp/session HTTP/1.1\r\nhost: {at}\r\norigin: http://{at}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 99\r\n\r\ncmd=add&"
    );
    tcp.write_all(head.as_bytes()).expect("the node reads");
    tcp
}

#[test]
fn a_stopped_node_leaves_at_once_with_an_empty_backlog() {
    let mut setup = Setup::with(["tc01", "tc02"], patient);
    let (tc01, tc02) = (setup.ports("tc01").http, setup.ports("tc02").http);
    setup.serve("tc01");
    setup.serve("tc02");
    let mut client = setup.client();
    let key = write(&mut client, tc01, 1);

    setup.node("tc01").signal("TERM");
    until("balancers are told", || (client.get(tc01, "/.sessile/ready").status == 503).then_some(()));
    // It still serves, and tells its clients to go.
    let answer = client.post(tc01, "/clusterapp/session?cmd=add&name=a&size=64&v=2");
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(setup.node("tc01").ended(), Some(0));

    assert_eq!(setup.members("tc02"), ["tc02"], "it is no member any more, long before it would be missed");
    assert_eq!(peek(&mut client, tc02, &key), Some(2));
}

#[test]
fn a_stop_with_stuck_requests_is_reported() {
    let mut setup =
        Setup::with(["tc01"], |_, config| config.replace("[http]", "drain_time = \"200ms\"\n[http]"));
    setup.serve("tc01");
    let _stuck = stuck_request(&setup, "tc01");
    write(&mut setup.client(), setup.ports("tc01").http, 1);
    let node = setup.node("tc01");
    node.signal("TERM");
    assert_eq!(node.ended(), Some(3));
    assert!(node.err().contains("1 requests still run"), "{}", node.err());
}

#[test]
fn the_last_copy_does_not_go_unasked() {
    let mut setup = Setup::with(["tc01", "tc02"], patient);
    setup.serve("tc01");
    let (tc01, mut client) = (setup.ports("tc01").http, setup.client());
    write(&mut client, tc01, 1);
    let (code, _, err) = verb(&setup, &["stop", "tc01"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("tc01 was not stopped: 1 sessions would go with it"), "{err}");
    write(&mut client, tc01, 2);

    setup.serve("tc02");
    let stopped = succeeds(&setup, &["stop", "tc01"]);
    assert!(stopped.contains("nothing was left to send"), "{stopped}");
    assert_eq!(setup.node("tc01").ended(), Some(0));
    let forced = succeeds(&setup, &["stop", "tc02", "--force"]);
    assert!(forced.contains("1 sessions went with it"), "{forced}");
    assert_eq!(setup.node("tc02").ended(), Some(0));
}

#[test]
fn a_signal_to_the_last_node_says_what_goes_with_it() {
    let mut setup = Setup::with(["tc01"], patient);
    setup.serve("tc01");
    write(&mut setup.client(), setup.ports("tc01").http, 1);
    let node = setup.node("tc01");
    node.signal("TERM");
    assert_eq!(node.ended(), Some(3));
    assert!(node.err().contains("1 sessions went with this node"), "{}", node.err());
}

#[test]
fn a_second_stop_signal_stops_a_node_at_once() {
    let mut setup =
        Setup::with(["tc01"], |_, config| config.replace("[http]", "drain_time = \"1h\"\n[http]"));
    setup.serve("tc01");
    let _stuck = stuck_request(&setup, "tc01");
    let http = setup.ports("tc01").http;
    write(&mut setup.client(), http, 1);
    setup.node("tc01").signal("INT");
    until("the port is closed", || is_refused(http).then_some(()));
    let node = setup.node("tc01");
    assert!(node.is_alive(), "a request still runs");
    node.signal("INT");
    assert_eq!(node.ended(), Some(3), "{}", node.err());
}

#[test]
fn a_node_that_has_not_joined_yet_stops_at_once() {
    let mut setup = Setup::with(["tc01", "tc02"], patient);
    setup.serve("tc01");
    setup.node("tc01").signal("STOP");
    setup.start("tc02");
    let admin = setup.ports("tc02").admin;
    until("it lives", || (!is_refused(admin)).then_some(()));
    setup.node("tc02").signal("TERM");
    assert_eq!(setup.node("tc02").ended(), Some(0));
}

/// A balancer in front of all nodes of the setup, once it serves.
fn balancer(setup: &mut Setup, names: [&str; 2]) -> SocketAddr {
    let address = free_address(own_host());
    let mut file = format!("[balance]\nlisten = \"{address}\"\n");
    for name in names {
        let http = setup.ports(name).http;
        file.push_str(&format!("[[node]]\nname = \"{name}\"\naddress = \"{http}\"\n"));
    }
    std::fs::write(setup.place().join("lb.toml"), file).expect("writable");
    setup.run("balancer", &["balance", "--config", "lb.toml"]).says(" in front of ");
    address
}

/// Writes 1, 2, … until `enough`, and expects that every write is confirmed and the one before is there.
fn shop(mut client: Client, at: SocketAddr, enough: &AtomicBool) -> u64 {
    let mut v = 0;
    while !enough.load(SeqCst) {
        v += 1;
        write(&mut client, at, v);
        assert_eq!(read(&mut client, at), Some(v));
    }
    v
}

/// Lets the clients end, also when the test fails.
struct Closing<'a>(&'a AtomicBool);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn a_rolling_restart_behind_a_balancer_is_invisible_to_clients() {
    let mut setup = Setup::with(["tc01", "tc02"], patient);
    setup.serve("tc01");
    setup.serve("tc02");
    let address = balancer(&mut setup, ["tc01", "tc02"]);
    let enough = AtomicBool::new(false);
    let clients = [setup.client(), setup.client(), setup.client(), setup.client()];
    std::thread::scope(|scope| {
        let closing = Closing(&enough);
        let shopping = clients.map(|client| scope.spawn(|| shop(client, address, &enough)));
        for name in ["tc01", "tc02"] {
            setup.node(name).signal("TERM");
            assert_eq!(setup.node(name).ended(), Some(0));
            setup.serve(name);
        }
        drop(closing);
        for client in shopping {
            assert!(client.join().expect("no request failed") > 0);
        }
    });
}
