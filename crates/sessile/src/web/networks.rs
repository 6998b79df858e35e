//! Address ranges, as in `trusted_proxies = ["10.0.0.0/8", "::1"]`.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses that share a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: Ipv6Addr,
    prefix_bits: u32,
}

/// Why a text is no [`Network`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address range; write an address, or one with its prefix length, such as 10.0.0.0/8")]
pub struct NotANetwork {
    text: String,
}

impl Network {
    /// Whether `address` lies in the range. An IPv4 address in IPv6 clothes counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differing = u128::from(widened(address)) ^ u128::from(self.address);
        differing.checked_shr(128 - self.prefix_bits).unwrap_or(0) == 0
    }
}

/// IPv4 addresses are compared in their IPv6-mapped form, so that both kinds of socket give the same answer.
fn widened(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let wrong = || NotANetwork { text: text.to_owned() };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| wrong())?,
            None => width,
        };
        if bits > width {
            return Err(wrong());
        }
        Ok(Self { address: widened(address), prefix_bits: 128 - width + bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn addresses_are_found_in_their_ranges() {
        assert!(contains("10.0.0.0/8", "10.9.8.7"));
        assert!(contains("10.0.0.0/8", "::ffff:10.9.8.7"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("127.0.0.1", "127.0.0.1"));
        assert!(!contains("127.0.0.1", "127.0.0.2"));
        assert!(contains("0.0.0.0/0", "203.0.113.9") && !contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("fd00::/8", "fd12::3") && contains("::/0", "1.2.3.4"));
    }

    #[test]
    fn what_is_no_range_is_named() {
        for text in ["", "ten", "10.0.0.0/33", "10.0.0.0/", "::/129", "10.0.0.0/8/8"] {
            assert!(text.parse::<Network>().unwrap_err().to_string().contains(text), "{text}");
        }
    }
}
