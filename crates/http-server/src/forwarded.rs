//! Claims of proxies about a client: which are believed, and which are handed on. Pure.
//!
//! | header | of a trusted proxy | of a stranger |
//! |---|---|---|
//! | `X-Forwarded-For`, `Forwarded` (RFC 7239) | extended by the peer | replaced |
//! | `X-Forwarded-Host`, `-Proto` | kept; filled in from `Forwarded` | replaced |
//! | other `X-Forwarded-*`, `X-Real-IP`, `True-Client-IP`, `X-Original-URL` and the like | kept | removed |
//! | `Proxy` (httpoxy), and any of these with an underscore | removed | removed |
//!
//! A header with an underscore is what CGI and many frameworks take for the one with a hyphen.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};

static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Names beside `X-Forwarded-*` by which proxies tell of a client, or rewrite its target.
const CLAIMS: [&str; 14] = [
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "forwarded-for",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
    "x-url-scheme",
];

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientInfo {
    /// The client: the TCP peer, or whom its PROXY header names.
    pub address: SocketAddr,
    /// Where its connection came in.
    pub local: SocketAddr,
    /// It came over TLS.
    pub is_tls: bool,
    /// It is a trusted proxy: what it says of others is believed.
    pub is_trusted: bool,
}

/// Removes what this client may not say.
pub fn remove_claims(headers: &mut HeaderMap, client: &ClientInfo) {
    let is_foreign = |name: &&HeaderName| {
        let name = name.as_str();
        // Names are in lower case.
        let has_underscore = name.contains('_');
        let hyphened = if has_underscore { name.replace('_', "-") } else { String::new() };
        let plain = if has_underscore { hyphened.as_str() } else { name };
        plain == "proxy" || (has_underscore || !client.is_trusted) && is_claim(plain)
    };
    let foreign: Vec<HeaderName> = headers.keys().filter(is_foreign).cloned().collect();
    for name in foreign {
        headers.remove(name);
    }
}

fn is_claim(name: &str) -> bool {
    name.starts_with("x-forwarded") || CLAIMS.binary_search(&name).is_ok()
}

/// Makes the headers ready for the next hop: claims of strangers go, this client is named. `Host` is set
/// already.
pub fn hand_on(headers: &mut HeaderMap, client: &ClientInfo) {
    remove_claims(headers, client);
    let address = client.address.ip().to_canonical();
    let scheme = if client.is_tls { "https" } else { "http" };
    let earlier = Earlier::of(headers);
    if !headers.contains_key(&PROTO) {
        set(headers, &PROTO, earlier.proto.as_deref().unwrap_or(scheme));
    }
    if !headers.contains_key(&X_HOST) {
        let host = earlier.host.as_deref().and_then(|host| HeaderValue::from_str(host).ok());
        if let Some(host) = host.or_else(|| headers.get(HOST).cloned()) {
            headers.insert(&X_HOST, host);
        }
    }
    let hops = joined(headers, &FOR).unwrap_or(earlier.addresses);
    let has_other_hops = !hops.is_empty();
    extend(headers, &FOR, hops, &address.to_string());
    // A chain that is known only by the other header is not told twice, and differently.
    if let Some(hops) = joined(headers, &FORWARDED).or_else(|| (!has_other_hops).then(String::new)) {
        extend(headers, &FORWARDED, hops, &element(address, headers.get(HOST), scheme));
    }
}

/// Whether the client's own connection, as far as is known and believed, is over TLS. Claims that do not
/// count must have been removed.
#[must_use]
pub fn is_https(headers: &HeaderMap, client: &ClientInfo) -> bool {
    let first = |text: String| text.split(',').next().map(|first| first.trim().to_ascii_lowercase());
    let claimed = joined(headers, &PROTO).and_then(first).or_else(|| Earlier::of(headers).proto);
    match claimed.filter(|_| client.is_trusted) {
        Some(proto) => proto == "https",
        None => client.is_tls,
    }
}

/// This hop in `Forwarded`.
fn element(address: IpAddr, host: Option<&HeaderValue>, scheme: &str) -> String {
    let node = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    let is_plain =
        |text: &&str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    match host.and_then(|host| host.to_str().ok()).filter(is_plain) {
        Some(host) => format!("for={node};host=\"{host}\";proto={scheme}"),
        None => format!("for={node};proto={scheme}"),
    }
}

/// All values of a header as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn extend(headers: &mut HeaderMap, name: &HeaderName, mut hops: String, hop: &str) {
    if !hops.is_empty() {
        hops.push_str(", ");
    }
    hops.push_str(hop);
    set(headers, name, &hops);
}

fn set(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The hops that `Forwarded` lists.
#[derive(Debug, Default)]
struct Earlier {
    addresses: String,
    host: Option<String>,
    proto: Option<String>,
}

impl Earlier {
    fn of(headers: &HeaderMap) -> Self {
        let Some(text) = joined(headers, &FORWARDED) else { return Self::default() };
        let mut earlier = Self::default();
        let mut addresses = Vec::new();
        for (index, element) in split_outside_quotes(&text, ',').into_iter().enumerate() {
            for pair in split_outside_quotes(element, ';') {
                let Some((key, value)) = pair.split_once('=') else { continue };
                let value = value.trim().trim_matches('"');
                match key.trim().to_ascii_lowercase().as_str() {
                    "for" => addresses.push(address_of(value)),
                    "host" if index == 0 => earlier.host = Some(value.to_owned()),
                    "proto" if index == 0 => earlier.proto = Some(value.to_ascii_lowercase()),
                    _ => {}
                }
            }
        }
        earlier.addresses = addresses.join(", ");
        earlier
    }
}

/// The address of `[2001:db8::1]:4711` or `192.0.2.1:80`; another name stays as it is.
fn address_of(node: &str) -> &str {
    if let Some((address, _)) = node.strip_prefix('[').and_then(|node| node.split_once(']')) {
        return address;
    }
    node.split_once(':').map_or(node, |(address, _)| address)
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    text.split(|character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(is_trusted: bool, is_tls: bool) -> ClientInfo {
        let address = "10.0.0.7:4711".parse().expect("an address");
        ClientInfo { address, local: address, is_tls, is_trusted }
    }

    fn handed_on(client: ClientInfo, pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("shop"));
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        hand_on(&mut headers, &client);
        headers
    }

    const CLAIMED: [(&str, &str); 14] = [
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-for", "5.6.7.8"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "other"),
        ("x-forwarded-port", "99"),
        ("x-forwarded-prefix", "/x"),
        ("forwarded", "for=1.2.3.4;proto=https"),
        ("x-real-ip", "1.2.3.4"),
        ("true-client-ip", "1.2.3.4"),
        ("x_forwarded_for", "1.2.3.4"),
        ("x-forwarded_for", "1.2.3.4"),
        ("x-original-url", "/admin"),
        ("cf-connecting-ip", "1.2.3.4"),
        ("proxy", "http://evil"),
    ];

    #[test]
    fn the_word_of_strangers_is_replaced() {
        let headers = handed_on(client(false, false), &CLAIMED);
        let mut all: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
        all.sort_unstable();
        assert_eq!(
            all,
            [
                ("forwarded", "for=10.0.0.7;host=\"shop\";proto=http"),
                ("host", "shop"),
                ("x-forwarded-for", "10.0.0.7"),
                ("x-forwarded-host", "shop"),
                ("x-forwarded-proto", "http"),
            ]
        );
    }

    #[test]
    fn the_word_of_a_trusted_proxy_is_extended() {
        let headers = handed_on(client(true, false), &CLAIMED);
        let text = |name: &str| headers.get(name).map(|value| value.to_str().expect("text"));
        assert_eq!(text("x-forwarded-for"), Some("1.2.3.4, 5.6.7.8, 10.0.0.7"));
        assert_eq!(text("forwarded"), Some("for=1.2.3.4;proto=https, for=10.0.0.7;host=\"shop\";proto=http"));
        assert_eq!(text("x-forwarded-proto"), Some("https"));
        assert_eq!(text("x-forwarded-host"), Some("other"));
        assert_eq!((text("x-forwarded-port"), text("x-real-ip")), (Some("99"), Some("1.2.3.4")));
        assert_eq!((text("x_forwarded_for"), text("x-forwarded_for"), text("proxy")), (None, None, None));
    }

    #[test]
    fn forwarded_alone_fills_in_the_others() {
        let rfc = "for=\"[2001:db8:cafe::17]:4711\";proto=HTTPS;host=\"a,b;c\", for=192.0.2.60:80";
        let headers = handed_on(client(true, false), &[("forwarded", rfc)]);
        assert_eq!(headers["x-forwarded-for"], "2001:db8:cafe::17, 192.0.2.60, 10.0.0.7");
        assert_eq!(
            (&headers["x-forwarded-proto"], &headers["x-forwarded-host"]),
            (&"https".parse().expect("text"), &"a,b;c".parse().expect("text"))
        );
        let headers = handed_on(client(true, true), &[("x-forwarded-for", "1.2.3.4")]);
        assert_eq!(
            (headers.get("forwarded"), &headers["x-forwarded-proto"]),
            (None, &"https".parse().expect("text"))
        );
    }

    #[test]
    fn https_is_what_the_connection_or_a_trusted_proxy_says() {
        let https = |client: ClientInfo, pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            remove_claims(&mut headers, &client);
            is_https(&headers, &client)
        };
        let claims = [("x-forwarded-proto", "https, http")];
        assert!(https(client(true, false), &claims) && !https(client(false, false), &claims));
        assert!(https(client(false, true), &[("x-forwarded-proto", "http")]));
        assert!(!https(client(true, true), &[("x-forwarded-proto", "http")]));
        assert!(https(client(true, false), &[("forwarded", "for=_x;proto=https")]));
        assert!(https(client(true, true), &[]) && !https(client(true, false), &[]));
    }

    #[test]
    fn the_list_of_claims_is_sorted() {
        assert!(CLAIMS.is_sorted());
    }
}
