//! Which addresses a guest may reach: public ones, and the private networks that the node allows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sessile::config::Network;

/// Whether a guest may be connected with `address`.
pub(super) fn is_reachable(address: IpAddr, allowed: &[Network]) -> bool {
    allowed.iter().any(|network| network.contains(address)) || is_public(address)
}

/// Whether the address is one of the public internet: no loopback, link-local, private, reserved or multicast
/// one, in any spelling that a router or a translator turns into one of those.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(carried) => is_public_v4(carried),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match a {
        0 | 10 | 127 => true,
        100 => (64..128).contains(&b),
        169 => b == 254,
        172 => (16..32).contains(&b),
        192 => b == 168 || (b == 0 && (c == 0 || c == 2)),
        198 => b == 18 || b == 19 || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        // Multicast, reserved, broadcast.
        224.. => true,
        _ => false,
    };
    !is_special
}

/// Global unicast is 2000::/3; what is documentation, or carries an IPv4 address out of sight, is not public.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_special = first == 0x2001 && (second < 0x200 || second == 0xdb8) || first == 0x3fff;
    first & 0xe000 == 0x2000 && !is_special
}

/// The IPv4 address to which a translator (64:ff9b::/96) or a 6to4 relay (2002::/16) would send.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_reachable_without(text: &str) -> bool {
        is_reachable(text.parse().unwrap(), &[])
    }

    #[test]
    fn addresses_of_this_machine_and_its_networks_are_refused() {
        for private in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "fec0::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!is_reachable_without(private), "{private}");
        }
        for public in [
            "1.1.1.1",
            "100.63.0.1",
            "172.32.0.1",
            "192.1.1.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert!(is_reachable_without(public), "{public}");
        }
    }

    #[test]
    fn an_allowed_network_is_reached() {
        let allowed = [Network::new([10, 1, 0, 0].into(), 16).unwrap()];
        assert!(is_reachable([10, 1, 2, 3].into(), &allowed));
        assert!(is_reachable("::ffff:10.1.2.3".parse().unwrap(), &allowed));
        assert!(!is_reachable([10, 2, 2, 3].into(), &allowed));
    }
}
