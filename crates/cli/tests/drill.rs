//! The drill as a process: a sound cluster, a server that loses writes, a wrong command line.

mod harness;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use harness::Running;
use sessile_history::OperationOutcome;

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn a_cluster_of_its_own_loses_nothing_when_a_node_is_killed_and_one_is_paused() {
    let place = scratch();
    let arguments = ["drill", "--own", "--time", "8s", "--clients", "4", "--seed", "1", "--keep", "kept"];
    let mut drill = Running::start(place.path(), arguments);
    assert_eq!(drill.ended(), Some(0), "{}{}", drill.out(), drill.err());
    let said = drill.out();
    assert!(said.contains("3 nodes, 4 clients") && said.contains("seed 1"), "{said}");
    for kind in ["lost", "doubled", "resurrected", "torn", "diverged", "mixed up", "stale"] {
        assert!(said.lines().any(|line| line.starts_with(&format!("{kind:<12}      0"))), "{kind}: {said}");
    }
    let kept = std::fs::File::open(place.path().join("kept/history.jsonl")).expect("it is kept");
    let history = sessile_history::read(BufReader::new(kept)).expect("it is a history");
    let acknowledged =
        history.operations.iter().filter(|operation| operation.outcome == OperationOutcome::Ok).count();
    assert!(acknowledged > 50 && history.holdings.len() == 3, "{acknowledged} acknowledged");
    assert!(!place.path().join("kept/cluster.secret").exists());
    for file in ["verdict.json", "faults.log", "tc01.log"] {
        assert!(place.path().join("kept").join(file).exists(), "{file}");
    }
}

#[test]
fn a_server_that_loses_acknowledged_writes_fails_the_drill() {
    let (place, at) = (scratch(), forgetful());
    let url = format!("http://{at}/clusterapp");
    let arguments = ["drill", "--node", &url, "--time", "2s", "--seed", "3", "--keep", "kept"];
    let mut drill = Running::start(place.path(), arguments);
    assert_eq!(drill.ended(), Some(1), "{}{}", drill.out(), drill.err());
    let (said, complained) = (drill.out(), drill.err());
    assert!(!said.lines().any(|line| line.starts_with("lost              0")), "{said}");
    assert!(complained.contains("the drill found violations") && complained.contains("lost: session"));
    assert!(place.path().join("kept/findings.txt").exists());
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let place = scratch();
    for arguments in [
        vec!["drill"],
        vec!["drill", "--node", "127.0.0.1:9080"],
        vec!["drill", "--own", "--node", "http://127.0.0.1:9080"],
        vec!["drill", "--own", "9"],
        vec!["drill", "--node", "http://127.0.0.1:9080", "--pid", "tc01=1"],
    ] {
        let mut drill = Running::start(place.path(), arguments.clone());
        assert_eq!(drill.ended(), Some(2), "{arguments:?}: {}", drill.err());
    }
}

/// A clusterapp server that loses all writes.
fn forgetful() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = listener.local_addr().expect("it listens");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || attend(client));
        }
    });
    at
}

fn attend(client: TcpStream) {
    static SESSIONS: AtomicU64 = AtomicU64::new(0);
    let (mut writer, mut reader) = (client.try_clone().expect("a socket"), BufReader::new(client));
    loop {
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            head += &line;
            line.clear();
        }
        let Some(asked) = head.split_whitespace().nth(1) else { return };
        let is_new = !head.contains("sid=");
        let body = if asked.ends_with("/stats") {
            r#"{"node":"tc01","members":0}"#.to_owned()
        } else if asked.contains("show") {
            r#"{"node":"tc01","sid":"k","attrs":{}}"#.to_owned()
        } else {
            format!(r#"{{"node":"tc01","sid":"k","new":{is_new}}}"#)
        };
        let cookie = match is_new {
            true => format!("Set-Cookie: sid={}\r\n", SESSIONS.fetch_add(1, Relaxed)),
            false => String::new(),
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{cookie}\r\n{body}", body.len());
        if writer.write_all(head.as_bytes()).is_err() {
            return;
        }
    }
}
