//! The AJP port of a node: what it wants, whom it believes, and that the session layer sees the client.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use crate::harness::{Setup, free_address, own_host, until};

const SECRET: &str = "a-secret-of-the-serve-tests";
/// Longest wait for a byte.
const SILENCE: Duration = Duration::from_secs(60);

/// A node with an AJP port, not yet started, and where the port will be.
fn node() -> (Setup, SocketAddr) {
    let at = free_address(own_host());
    let setup = Setup::with(["tc01"], |_, config| {
        let ajp = format!("[ajp]\nlisten = \"{at}\"\nsecret_file = \"ajp.secret\"\n[admin]");
        config
            .replace("[admin]", &ajp)
            .replace("[http]\n", "[http]\ntrusted_proxies = [\"203.0.113.0/24\"]\n")
    });
    setup.secrets().learn(SECRET);
    (setup, at)
}

fn write_secret(setup: &Setup, secret: &str, mode: u32) {
    let path = setup.place().join("ajp.secret");
    fs::write(&path, secret).expect("writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u16::try_from(text.len()).expect("short").to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

/// What the port answers to a GET that makes a session: everything until it closes or the response ends.
fn ask(at: SocketAddr, secret: Option<&str>, client: &str, is_tls: bool, proto: Option<&str>) -> Vec<u8> {
    let mut payload = vec![2, 2];
    ["HTTP/1.1", "/clusterapp/session", client].into_iter().for_each(|text| put_text(&mut payload, text));
    payload.extend_from_slice(&[0xFF, 0xFF]);
    put_text(&mut payload, "shop.example");
    payload.extend_from_slice(&[0, 80, is_tls.into()]);
    payload.extend_from_slice(&u16::from(proto.is_some()).to_be_bytes());
    if let Some(proto) = proto {
        put_text(&mut payload, "x-forwarded-proto");
        put_text(&mut payload, proto);
    }
    payload.push(0x05);
    put_text(&mut payload, "cmd=add&name=a&size=64&v=1");
    if let Some(secret) = secret {
        payload.push(0x0C);
        put_text(&mut payload, secret);
    }
    payload.push(0xFF);
    let mut packet = vec![0x12, 0x34];
    packet.extend_from_slice(&u16::try_from(payload.len()).expect("short").to_be_bytes());
    packet.extend_from_slice(&payload);
    let mut tcp = TcpStream::connect(at).expect("the port is open");
    tcp.set_read_timeout(Some(SILENCE)).expect("a socket option");
    tcp.write_all(&packet).expect("the node reads");
    tcp.shutdown(std::net::Shutdown::Write).expect("it is open");
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).expect("the node answers");
    answer
}

/// The cookie of an answer, and whether it is for https only.
fn is_secure(setup: &Setup, answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let (_, cookie) = text.split_once("sid=").unwrap_or_else(|| panic!("no cookie in {text}"));
    let cookie = cookie.split(['\0', '{']).next().unwrap_or_default();
    setup.secrets().learn_cookie(&format!("sid={}", cookie.split(';').next().unwrap_or_default()));
    cookie.contains("Secure")
}

#[test]
fn the_session_layer_sees_the_client_that_the_web_server_names() {
    let (mut setup, at) = node();
    write_secret(&setup, SECRET, 0o600);
    setup.serve("tc01");
    let secret = Some(SECRET);
    assert!(is_secure(&setup, &ask(at, secret, "198.51.100.7", true, None)), "the client came by TLS");
    assert!(!is_secure(&setup, &ask(at, secret, "198.51.100.7", false, None)));
    // Between client and web server is a proxy, which is trusted or not.
    assert!(is_secure(&setup, &ask(at, secret, "203.0.113.7", false, Some("https"))));
    assert!(!is_secure(&setup, &ask(at, secret, "198.51.100.7", false, Some("https"))));
}

#[test]
fn without_the_secret_nothing_is_served_and_no_session_is_made() {
    let (mut setup, at) = node();
    let started = setup.start("tc01");
    assert_eq!(started.ended(), Some(1));
    assert!(
        started.err().contains("sessile secret new") && started.err().contains("[ajp]"),
        "{}",
        started.err()
    );
    write_secret(&setup, SECRET, 0o644);
    let started = setup.start("tc01");
    assert_eq!(started.ended(), Some(1));
    assert!(started.err().contains("chmod 600"), "{}", started.err());

    write_secret(&setup, SECRET, 0o600);
    setup.serve("tc01");
    for secret in [None, Some(""), Some("a-secret-of-the-serve-test")] {
        let answer = ask(at, secret, "203.0.113.7", false, None);
        // The packet AB, its length, its kind, and 403.
        assert_eq!((&answer[..2], &answer[4..7]), (&b"AB"[..], &[4, 1, 147][..]));
        assert!(!String::from_utf8_lossy(&answer).contains("sid="));
    }
    assert_eq!(setup.admin("tc01", "/sessions").json().as_array().map(Vec::len), Some(0));
    until("refused connections are counted", || {
        let metrics = setup.admin("tc01", "/metrics").text;
        metrics.lines().any(|line| line == "sessile_ajp_connections_refused 3").then_some(())
    });
}

/// URLs that Tomcat wrote for browsers without cookies lead to the same page, and the id in them to nothing.
#[test]
fn a_session_id_in_a_url_is_redirected_away() {
    let mut setup = Setup::new(["tc01"]);
    setup.serve("tc01");
    let http = setup.ports("tc01").http;
    let mut client = setup.client();
    let answer = client.get(http, "/clusterapp/session;jsessionid=4711.tc01?cmd=show&name=a");
    assert_eq!(answer.status, 308);
    let location = answer.header("location").expect("a place").to_owned();
    assert_eq!(location, "/clusterapp/session?cmd=show&name=a");
    assert_eq!(client.get(http, &location).status, 200);
}
