//! The PROXY protocol, versions 1 and 2: how a balancer of bytes names the client whose connection it passes
//! on. Written after <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>.
//!
//! The header is believed only of trusted peers, and must come from them: whether it is there is never
//! guessed from the bytes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The beginning of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The shortest header there is, `PROXY UNKNOWN\r\n`: so many bytes can be read before it is known.
const SHORTEST: usize = 15;
/// Longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;
/// Most bytes of version 2 behind its 16 fixed ones: addresses, and extensions that are skipped.
const MAX_EXTENSIONS: usize = 4 * 1024;
/// The extension that tells of TLS (`PP2_TYPE_SSL`), and its bit for "the client connected over TLS".
const TYPE_SSL: u8 = 0x20;
const CLIENT_SSL: u8 = 0x01;

/// Which version is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    /// A line of text. It cannot tell whether the client came over TLS.
    V1,
    /// Binary.
    V2,
}

/// The content of a header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The client; `None` when the proxy speaks for itself (a health check), or knows none.
    pub source: Option<SocketAddr>,
    /// The client came to the proxy over TLS.
    pub is_tls: bool,
}

/// Reads a header and not a byte more.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when the bytes are none; else what reading says.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<ProxyHeader> {
    let mut bytes = vec![0; SHORTEST];
    stream.read_exact(&mut bytes).await?;
    if bytes.starts_with(SIGNATURE) {
        bytes.push(stream.read_u8().await?);
        let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
        if length > MAX_EXTENSIONS {
            return Err(wrong("its extensions are too long"));
        }
        let mut rest = vec![0; length];
        stream.read_exact(&mut rest).await?;
        return parse_v2(bytes[12], bytes[13], &rest).ok_or_else(|| wrong("version 2 makes no sense"));
    }
    if !bytes.starts_with(b"PROXY ") {
        return Err(wrong("the connection does not begin with one"));
    }
    while !bytes.ends_with(b"\r\n") {
        if bytes.len() >= LONGEST_LINE {
            return Err(wrong("its line is too long"));
        }
        bytes.push(stream.read_u8().await?);
    }
    parse_v1(&bytes).ok_or_else(|| wrong("version 1 makes no sense"))
}

fn wrong(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("PROXY header: {text}"))
}

/// A line with its end: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n`.
fn parse_v1(line: &[u8]) -> Option<ProxyHeader> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?.strip_prefix("PROXY ")?;
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Some(ProxyHeader::default());
    }
    let mut words = line.split(' ');
    let family = words.next()?;
    let source: IpAddr = words.next()?.parse().ok()?;
    let destination: IpAddr = words.next()?.parse().ok()?;
    let [source_port, destination_port] = [words.next()?, words.next()?];
    let port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
    let (source_port, _): (u16, u16) = (port(source_port)?, port(destination_port)?);
    let is_v4 = match family {
        "TCP4" => true,
        "TCP6" => false,
        _ => return None,
    };
    let fits = source.is_ipv4() == is_v4 && destination.is_ipv4() == is_v4 && words.next().is_none();
    fits.then_some(ProxyHeader { source: Some(SocketAddr::new(source, source_port)), is_tls: false })
}

/// Version and command, family and transport, and what follows the length.
fn parse_v2(command: u8, family: u8, rest: &[u8]) -> Option<ProxyHeader> {
    match command {
        0x20 => return Some(ProxyHeader::default()),
        0x21 => {}
        _ => return None,
    }
    let (source, extensions) = match family {
        0x11 => {
            let source = Ipv4Addr::from(<[u8; 4]>::try_from(rest.get(..4)?).ok()?);
            (SocketAddr::new(source.into(), port_at(rest, 8)?), rest.get(12..)?)
        }
        0x21 => {
            let source = Ipv6Addr::from(<[u8; 16]>::try_from(rest.get(..16)?).ok()?);
            (SocketAddr::new(source.into(), port_at(rest, 32)?), rest.get(36..)?)
        }
        // Unix sockets and datagrams name nobody who could be told.
        0x00 | 0x12 | 0x22 | 0x31 | 0x32 => return Some(ProxyHeader::default()),
        _ => return None,
    };
    Some(ProxyHeader { source: Some(source), is_tls: says_tls(extensions)? })
}

fn port_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// Whether the extensions say that the client came over TLS; nothing when they are cut.
fn says_tls(mut extensions: &[u8]) -> Option<bool> {
    let mut is_tls = false;
    while let [kind, high, low, rest @ ..] = extensions {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let value = rest.get(..length)?;
        is_tls |= *kind == TYPE_SSL && value.first().is_some_and(|flags| flags & CLIENT_SSL != 0);
        extensions = &rest[length..];
    }
    extensions.is_empty().then_some(is_tls)
}

/// A header for the connection of `source` that came in at `destination`.
#[must_use]
pub fn write(version: ProxyProtocol, source: SocketAddr, destination: SocketAddr, is_tls: bool) -> Vec<u8> {
    let (source_ip, destination_ip) = match (source.ip().to_canonical(), destination.ip().to_canonical()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => (source.into(), destination.into()),
        (source, destination) => (IpAddr::V6(mapped(source)), IpAddr::V6(mapped(destination))),
    };
    let is_v4 = source_ip.is_ipv4();
    match version {
        ProxyProtocol::V1 => {
            let family = if is_v4 { "TCP4" } else { "TCP6" };
            let (from, to) = (source.port(), destination.port());
            format!("PROXY {family} {source_ip} {destination_ip} {from} {to}\r\n").into_bytes()
        }
        ProxyProtocol::V2 => {
            let mut rest = Vec::new();
            for address in [source_ip, destination_ip] {
                match address {
                    IpAddr::V4(address) => rest.extend(address.octets()),
                    IpAddr::V6(address) => rest.extend(address.octets()),
                }
            }
            rest.extend(source.port().to_be_bytes());
            rest.extend(destination.port().to_be_bytes());
            if is_tls {
                // Flags, and a word that is 0 when a client's certificate was checked: none is told of here.
                rest.extend([TYPE_SSL, 0, 5, CLIENT_SSL, 0, 0, 0, 1]);
            }
            let length = u16::try_from(rest.len()).unwrap_or_default();
            let mut bytes = SIGNATURE.to_vec();
            bytes.extend([0x21, if is_v4 { 0x11 } else { 0x21 }]);
            bytes.extend(length.to_be_bytes());
            bytes.extend(rest);
            bytes
        }
    }
}

/// A header by which the sender speaks for itself, as for a health check.
#[must_use]
pub fn write_local(version: ProxyProtocol) -> Vec<u8> {
    match version {
        ProxyProtocol::V1 => b"PROXY UNKNOWN\r\n".to_vec(),
        ProxyProtocol::V2 => [&SIGNATURE[..], &[0x20, 0, 0, 0]].concat(),
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    /// The header, and the number of bytes left for the next reader.
    fn read_all(mut bytes: &[u8]) -> (io::Result<ProxyHeader>, usize) {
        let header = read(&mut bytes).now_or_never().expect("a slice is always ready");
        (header, bytes.len())
    }

    fn source(bytes: &[u8]) -> Option<SocketAddr> {
        let mut whole = bytes.to_vec();
        whole.extend(b"GET /");
        let (header, left) = read_all(&whole);
        assert_eq!(left, 5, "not a byte more than the header is read");
        header.expect("a header").source
    }

    #[test]
    fn both_versions_name_the_client() {
        assert_eq!(
            source(b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"),
            "192.0.2.1:56324".parse().ok()
        );
        assert_eq!(source(b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"), "[2001:db8::1]:1".parse().ok());
        assert_eq!(source(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(source(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), None);
        assert_eq!(source(b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"), None);
        let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb";
        assert_eq!(source(v2), "192.0.2.1:56324".parse().ok());
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for wrong in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 1\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 +1 1\r\n",
            b"PROXY TCP4 ::1 ::1 1 1\r\n",
            b"PROXY TCP5 192.0.2.1 198.51.100.1 1 1\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 1 1 1\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x00",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x04\xc0\x00\x02\x01",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0e\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb\x20\x00",
        ] {
            let error = read_all(wrong).0.expect_err("no header");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{}: {error}", wrong.escape_ascii());
        }
        let long = [b"PROXY TCP4 ", &[b'1'; 200][..]].concat();
        assert!(read_all(&long).0.is_err());
    }

    fn address() -> impl Strategy<Value = SocketAddr> {
        (any::<u128>(), any::<u32>(), any::<bool>(), any::<u16>()).prop_map(|(v6, v4, is_v4, port)| {
            let ip = if is_v4 { Ipv4Addr::from_bits(v4).into() } else { Ipv6Addr::from_bits(v6).into() };
            SocketAddr::new(ip, port)
        })
    }

    #[test]
    fn who_speaks_for_itself_names_nobody() {
        for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
            assert_eq!(source(&write_local(version)), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(from in address(), to in address(), is_tls: bool) {
            for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
                let (header, left) = read_all(&write(version, from, to, is_tls));
                let header = header.expect("a header");
                let named = header.source.expect("a client");
                prop_assert_eq!((named.ip().to_canonical(), named.port(), left), (from.ip().to_canonical(), from.port(), 0));
                prop_assert_eq!(header.is_tls, is_tls && version == ProxyProtocol::V2);
            }
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300), v2: bool) {
            let bytes = if v2 { [SIGNATURE, &bytes[..]].concat() } else { bytes };
            let _ = read_all(&bytes);
        }
    }
}
