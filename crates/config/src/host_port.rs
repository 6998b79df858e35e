//! A host and a port, as one text. The connecting code resolves the name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The longest host name that the DNS allows, in bytes.
const MAX_HOST: usize = 253;

/// `host:port`; the host is a name, an IPv4 address, or an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The name or address, without brackets.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
}

/// The text is not `host:port`.
#[derive(Debug, thiserror::Error)]
pub enum NotHostPort {
    /// No colon with a port from 1 to 65535 behind it.
    #[error("has no port from 1 to 65535 after a colon")]
    Port,
    /// The text before the port is not a valid host.
    #[error("names no host before the port")]
    Host,
}

impl HostPort {
    /// Whether only this machine can mean something by it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

impl FromStr for HostPort {
    type Err = NotHostPort;

    fn from_str(text: &str) -> Result<Self, NotHostPort> {
        let (host, port) = text.rsplit_once(':').ok_or(NotHostPort::Port)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(NotHostPort::Port)?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
                (1..=MAX_HOST).contains(&host.len()) && host.chars().all(allowed)
            }
        };
        if !is_host {
            return Err(NotHostPort::Host);
        }
        Ok(Self { host: bracketed.unwrap_or(host).to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HostPort;

    #[test]
    fn texts_come_back_as_they_were() {
        for text in ["tc02:4002", "10.0.0.5:1", "[::1]:4001", "a.b-c.example:65535"] {
            assert_eq!(text.parse::<HostPort>().expect(text).to_string(), text);
        }
        for text in ["tc02", "tc02:0", "tc02:70000", ":4001", "::1:4001", "[x]:1", "a b:1", "http://a:1"] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }

    #[test]
    fn loopback_is_seen_in_names_and_addresses() {
        for (text, expected) in
            [("localhost:1", true), ("127.0.0.2:1", true), ("[::1]:1", true), ("tc02:1", false)]
        {
            assert_eq!(text.parse::<HostPort>().expect(text).is_loopback(), expected, "{text}");
        }
    }
}
