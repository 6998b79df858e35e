//! How a node stops when it is asked to.

use std::io::Write;
use std::net::TcpStream;

use crate::harness::{Setup, is_refused, until};
use crate::{patient, peek, write};

/// A request that came and whose body does not: it runs until it is cut.
fn stuck_request(setup: &Setup, name: &str) -> TcpStream {
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
fn a_node_that_is_asked_to_stop_leaves_at_once_and_owes_nothing() {
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
fn a_node_whose_requests_do_not_end_says_so() {
    let mut setup =
        Setup::with(["tc01"], |_, config| config.replace("[http]", "drain_time = \"200ms\"\n[http]"));
    setup.serve("tc01");
    let _stuck = stuck_request(&setup, "tc01");
    write(&mut setup.client(), setup.ports("tc01").http, 1);
    let node = setup.node("tc01");
    node.signal("TERM");
    assert_eq!(node.ended(), Some(3));
    assert!(node.err().contains("1 connection"), "{}", node.err());
}

#[test]
fn a_second_wish_stops_a_node_at_once() {
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
