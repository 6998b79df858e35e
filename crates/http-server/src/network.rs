//! A range of IP addresses in CIDR notation.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The addresses that share their first `prefix` bits with `address`.
///
/// ```
/// let network: sessile_http_server::Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains("10.255.0.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network, unless the prefix is longer than the address.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        (prefix <= if address.is_ipv4() { 32 } else { 128 }).then_some(Self { address, prefix })
    }

    /// Whether `address` lies in it. An IPv4 address that arrived on an IPv6 socket counts as what it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let host_bits = 32 - u32::from(self.prefix);
                (own.to_bits() ^ other.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let host_bits = 128 - u32::from(self.prefix);
                (own.to_bits() ^ other.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.prefix)
    }
}

/// A text that is not a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkError(String);

impl fmt::Display for NetworkError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` is not a network: write one address, or `10.0.0.0/8`", self.0)
    }
}

impl std::error::Error for NetworkError {}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| error())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        Self::new(address, prefix.unwrap_or(whole)).ok_or_else(error)
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn a_text_is_a_network_or_is_named_in_the_error() {
        assert_eq!("10.0.0.7".parse::<Network>().expect("an address").to_string(), "10.0.0.7/32");
        assert_eq!("fd00::/8".parse::<Network>().expect("a network").to_string(), "fd00::/8");
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "localhost", "10.0.0.0/-1"] {
            assert!(wrong.parse::<Network>().expect_err(wrong).to_string().contains(wrong));
        }
    }

    #[test]
    fn bits_before_the_prefix_decide() {
        let contains = |network: &str, prefix, address: &str| {
            let network = Network::new(network.parse().expect(network), prefix).expect("a good prefix");
            network.contains(address.parse().expect(address))
        };
        assert!(contains("10.0.0.0", 8, "10.255.0.1"));
        assert!(!contains("10.0.0.0", 8, "11.0.0.1"));
        assert!(contains("10.0.0.0", 8, "::ffff:10.1.2.3"));
        assert!(contains("0.0.0.0", 0, "203.0.113.9"));
        assert!(contains("10.0.0.5", 32, "10.0.0.5"));
        assert!(!contains("10.0.0.5", 32, "10.0.0.4"));
        assert!(contains("fd00::", 8, "fd12::1"));
        assert!(!contains("fd00::", 8, "10.0.0.1"));
        assert!(contains("::", 0, "fd12::1"));
        assert_eq!(Network::new("10.0.0.0".parse().expect("an address"), 33), None);
    }
}
