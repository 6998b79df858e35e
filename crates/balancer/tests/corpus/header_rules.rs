//! Any headers of a client: of a stranger nothing is believed, of a trusted proxy the client that it speaks
//! for comes before the proxy, and no name is told twice.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use sessile_http_server::{ClientInfo, forwarded};

/// Names that a node might believe.
const CLAIMS: [&str; 8] = [
    "x-real-ip",
    "true-client-ip",
    "x-original-url",
    "x-rewrite-url",
    "proxy",
    "x_forwarded_for",
    "x-forwarded-port",
    "cf-connecting-ip",
];

/// The body of the target `header_rules`: lines of `name: value`; the first byte says who sends them.
pub(crate) fn header_rules(input: &[u8]) {
    let Some((flags, lines)) = input.split_first() else { return };
    let (is_trusted, is_tls) = (flags & 1 == 1, flags & 2 == 2);
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n').take(100) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let address: SocketAddr = "10.0.0.7:4711".parse().unwrap();
    let client = ClientInfo { address, local: address, is_tls, is_trusted };
    forwarded::hand_on(&mut headers, &client);

    let all = |name: &str| headers.get_all(name).iter().collect::<Vec<_>>();
    let hops = all("x-forwarded-for");
    assert_eq!(hops.len(), 1, "{hops:?}");
    assert!(hops[0].as_bytes().ends_with(b"10.0.0.7"), "the peer is the last hop: {hops:?}");
    for name in ["proxy", "x_forwarded_for", "x_real_ip", "x_forwarded_proto"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    if !is_trusted {
        assert_eq!(hops, ["10.0.0.7"]);
        assert_eq!(all("x-forwarded-proto"), [if is_tls { "https" } else { "http" }]);
        assert!(all("x-forwarded-host").len() <= 1 && all("forwarded").len() <= 1);
        assert!(CLAIMS.iter().all(|name| !headers.contains_key(*name)), "{headers:?}");
        assert_eq!(forwarded::is_https(&headers, &client), is_tls);
    }
}
