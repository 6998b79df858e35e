//! Hostile peers at every port of a node while honest clients work: no request fails, membership does not
//! change, and each kind of attack is counted.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::harness::{Setup, until};
use crate::{patient, read, write};

/// Connections that an attacker holds at once: far more than handshakes are allowed.
const HELD: usize = 200;
/// Values that an honest client writes, and reads on the other node.
const HONEST: u64 = 60;

/// An attack that is repeated until it is dropped.
struct Attack {
    over: Arc<AtomicBool>,
    attacker: Option<JoinHandle<()>>,
}

impl Attack {
    fn begin(mut round: impl FnMut() + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let attacker = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                round();
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { over, attacker: Some(attacker) }
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let attacker = self.attacker.take().expect("it is taken once");
        assert!(attacker.join().is_ok() || std::thread::panicking(), "the attacker failed");
    }
}

/// A connection that says this, and then nothing. The node may close it at any time.
fn say(at: SocketAddr, bytes: &[u8]) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(20))).ok()?;
    stream.write_all(bytes).ok()?;
    Some(stream)
}

/// Holds many connections that said this, and goes on byte by byte on one of them.
fn holding(at: SocketAddr, beginning: &'static [u8]) -> impl FnMut() + Send + 'static {
    let mut held: Vec<TcpStream> = Vec::new();
    move || {
        if held.len() >= HELD {
            held.remove(0);
        }
        held.extend(say(at, beginning));
        if let Some(dripping) = held.last_mut() {
            let _ = dripping.write_all(b"a");
        }
    }
}

/// Says this, takes what comes, and closes.
fn shouting(at: SocketAddr, bytes: Vec<u8>) -> impl FnMut() + Send + 'static {
    move || {
        if let Some(mut stream) = say(at, &bytes) {
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read(&mut [0; 4096]);
        }
    }
}

/// The value of a metric with that cause.
fn counted(setup: &Setup, name: &str, cause: &str) -> u64 {
    let metrics = setup.admin("tc01", "/metrics").text;
    let line = format!("sessile_{name}_total{{cause=\"{cause}\"}} ");
    let value = metrics.lines().find_map(|known| known.strip_prefix(&line));
    value.unwrap_or_else(|| panic!("no {line} in {metrics}")).parse().expect("a number")
}

#[test]
fn attacks_at_every_port_fail_no_request_and_change_no_view() {
    let mut setup = Setup::with(["tc01", "tc02"], patient);
    let (tc01, tc02) = (setup.ports("tc01"), setup.ports("tc02").http);
    setup.serve("tc01");
    setup.serve("tc02");
    until("both see each other", || (setup.members("tc01").len() == 2).then_some(()));
    let giant_head = [b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec(), vec![b'x'; 100_000]].concat();
    let attacks = [
        Attack::begin(holding(tc01.replication, b"")),
        Attack::begin(holding(tc01.replication, b"\x16\x03\x01\x40\x00\x01")),
        Attack::begin(shouting(tc01.replication, vec![0xff; 64 << 10])),
        Attack::begin(shouting(tc01.replication, b"SESL\x01\x01\xff\xff".to_vec())),
        Attack::begin(holding(tc01.http, b"GET /clusterapp/session HTTP/1.1\r\nHost: a\r\nX: ")),
        Attack::begin(holding(
            tc01.http,
            b"POST /clusterapp/session HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n",
        )),
        Attack::begin(shouting(tc01.http, giant_head)),
        Attack::begin(shouting(tc01.admin, b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_vec())),
    ];
    let mut client = setup.client();
    for v in 0..HONEST {
        write(&mut client, tc01.http, v);
        assert_eq!(read(&mut client, tc02), Some(v), "what one node took the other has");
        write(&mut client, tc02, v + 1_000);
        assert_eq!(read(&mut client, tc01.http), Some(v + 1_000));
    }
    until("the attacks were seen", || {
        let causes = ["untrusted", "crowded"];
        causes.iter().all(|cause| counted(&setup, "handshakes_refused", cause) > 0).then_some(())
    });
    drop(attacks);
    assert_eq!(setup.members("tc01"), ["tc01", "tc02"]);
    assert_eq!(setup.members("tc02"), ["tc01", "tc02"]);
    assert_eq!(read(&mut client, tc01.http), Some(HONEST - 1 + 1_000));
    let log = setup.node("tc01").err();
    assert!(!log.contains("panicked") && !log.contains("fault of this program"), "{log}");
}
