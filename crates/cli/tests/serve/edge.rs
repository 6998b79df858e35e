//! A node that faces clients: HTTPS, limits, who is believed about a client. The clients write their own
//! bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::harness::{Setup, free_address, own_host, until};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate for `shop.example`, written as an ACME client does, and a client that trusts it.
fn issue(directory: &Path) -> Arc<ClientConfig> {
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec!["shop.example".to_owned()]).expect("names");
    let certificate = certificate.self_signed(&key).expect("a certificate");
    let pem = |label: &str, der: &[u8]| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    std::fs::create_dir_all(directory).expect("writable");
    std::fs::write(directory.join("fullchain.pem"), pem("CERTIFICATE", certificate.der())).expect("writable");
    std::fs::write(directory.join("privkey.pem"), pem("PRIVATE KEY", &key.serialize_der()))
        .expect("writable");
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(builder.expect("versions").with_root_certificates(roots).with_no_client_auth())
}

fn connect(at: SocketAddr) -> TcpStream {
    let tcp = TcpStream::connect(at).expect("the node listens");
    tcp.set_read_timeout(Some(PATIENCE)).expect("an option");
    tcp
}

/// Sends a request and reads until the node ends the connection, in time; a reset is an end too.
fn exchange(mut stream: impl Read + Write, request: &str) -> String {
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    if let Err(error) = ended {
        let is_late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!is_late, "the node does not end the connection: {answer}");
    }
    answer
}

fn https(at: SocketAddr, client: &Arc<ClientConfig>, request: &str) -> Result<String, rustls::Error> {
    let name = ServerName::try_from("shop.example").expect("a name");
    let mut tls = StreamOwned::new(ClientConnection::new(Arc::clone(client), name)?, connect(at));
    while tls.conn.is_handshaking() {
        tls.conn.complete_io(&mut tls.sock).map_err(|error| rustls::Error::General(error.to_string()))?;
    }
    Ok(exchange(tls, request))
}

/// What makes a session, and thereby a cookie.
fn add(headers: &str) -> String {
    format!(
        "POST /clusterapp/session?cmd=add&name=a&size=64&v=1 HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\
         content-length: 0\r\n{headers}\r\n"
    )
}

fn is_secure(answer: &str) -> bool {
    let cookie = answer.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie:"));
    cookie.unwrap_or_else(|| panic!("no cookie: {answer}")).contains("; Secure")
}

/// Adds lines to `[http]`.
fn with_http(config: &str, lines: &str) -> String {
    config.replacen("[http]\n", &format!("[http]\n{lines}\n"), 1)
}

#[test]
fn https_is_served_and_renewed_while_it_runs() {
    let redirect = free_address(own_host());
    let tables = format!(
        "[http.tls]\ncertificates = [\"live\"]\nredirect = \"{redirect}\"\nhsts = \"max-age=60\"\n\n[admin]"
    );
    let mut setup = Setup::with(["tc01"], |_, config| config.replacen("[admin]", &tables, 1));
    let live = setup.place().join("live");
    let client = issue(&live);
    let at = setup.ports("tc01").http;
    setup.start("tc01").says("is ready in");

    let answer = https(at, &client, &add("")).expect("TLS");
    assert!(answer.starts_with("HTTP/1.1 200 ") && is_secure(&answer), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=60\r\n"), "{answer}");
    let plain = "GET /a?b HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n";
    assert!(exchange(connect(at), plain).contains("https://"), "plain HTTP is told so");
    let answer = exchange(connect(redirect), plain);
    assert!(answer.contains(&format!("location: https://shop.example:{}/a?b\r\n", at.port())), "{answer}");

    let renewed = issue(&live);
    setup.node("tc01").signal("HUP");
    until("the new certificate is shown", || https(at, &renewed, &add("")).ok().map(drop));
    assert!(https(at, &client, &add("")).is_err(), "and the old one is not");
}

#[test]
fn strangers_do_not_say_who_they_are() {
    for (trusted, secure) in [("10.0.0.0/8", false), ("127.0.0.0/8", true)] {
        let lines = format!("trusted_proxies = [\"{trusted}\"]");
        let mut setup = Setup::with(["tc01"], |_, config| with_http(&config, &lines));
        setup.serve("tc01");
        let at = setup.ports("tc01").http;
        for claim in ["x-forwarded-proto: https\r\n", "forwarded: for=1.2.3.4;proto=https\r\n"] {
            assert_eq!(is_secure(&exchange(connect(at), &add(claim))), secure, "{claim}of {trusted}");
        }
        let absolute = add("").replacen("/clusterapp", "https://shop.example/clusterapp", 1);
        assert!(!is_secure(&exchange(connect(at), &absolute)), "a target is no proof");
    }
}

#[test]
fn a_proxy_header_names_the_client_and_its_scheme() {
    use sessile_http_server::proxy_protocol::{ProxyProtocol, write};
    let lines = "trusted_proxies = [\"127.0.0.0/8\"]\nproxy_protocol = true";
    let mut setup = Setup::with(["tc01"], |_, config| with_http(&config, lines));
    setup.start("tc01").says("is ready in");
    let at = setup.ports("tc01").http;
    let (client, proxy) = ("203.0.113.9:4711".parse().expect("an address"), at);
    for (version, is_tls) in
        [(ProxyProtocol::V1, false), (ProxyProtocol::V2, false), (ProxyProtocol::V2, true)]
    {
        let mut tcp = connect(at);
        tcp.write_all(&write(version, client, proxy, is_tls)).expect("written");
        assert_eq!(is_secure(&exchange(tcp, &add("x-forwarded-proto: https\r\n"))), is_tls);
    }
    assert_eq!(exchange(connect(at), &add("")), "", "without a header nobody is let in");
}

#[test]
fn a_node_does_not_wait_for_ever() {
    let limits =
        "[http.limits]\nhead_timeout = \"100ms\"\nbody_idle = \"100ms\"\nkeep_alive = \"100ms\"\n\n[admin]";
    let mut setup = Setup::with(["tc01"], |_, config| config.replacen("[admin]", limits, 1));
    setup.serve("tc01");
    let at = setup.ports("tc01").http;
    assert!(exchange(connect(at), "GET / HTTP/1.1\r\nhost").starts_with("HTTP/1.1 408 "));
    assert_eq!(exchange(connect(at), ""), "", "a connection that never asks");
    let half = add("").replace("content-length: 0", "content-length: 1000") + "abc";
    let answer = exchange(connect(at), &half);
    assert!(answer.starts_with("HTTP/1.1 200 "), "the application reads no body: {answer}");
}

#[test]
fn unfinished_requests_do_not_hold_a_stop() {
    let drains = |_: &str, config: String| config.replacen("[node]\n", "[node]\ndrain_time = \"4s\"\n", 1);
    let mut setup = Setup::with(["tc01"], drains);
    setup.serve("tc01");
    let at = setup.ports("tc01").http;
    let mut held = Vec::new();
    for beginning in
        ["GET / HTTP/1.1\r\nhost", "", &(add("").replace("content-length: 0", "content-length: 1000") + "a")]
    {
        let mut tcp = connect(at);
        tcp.write_all(beginning.as_bytes()).expect("written");
        held.push(tcp);
    }
    setup.node("tc01").signal("TERM");
    // 3: the session that the third request made goes with the last node. The node does not wait for the
    // requests.
    assert_eq!(setup.node("tc01").ended(), Some(3));
}
