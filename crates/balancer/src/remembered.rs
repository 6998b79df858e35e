//! Which node a client's address was on last. Pure: no socket, no clock.
//!
//! Two generations: who is asked for moves to the young one; when that is full it becomes the old one, and
//! what was old is forgotten. So the table is bounded, and a client that comes again within
//! [`MAX_CLIENTS`] / 2 other clients is known.

use std::collections::HashMap;
use std::net::IpAddr;

/// Most addresses of clients that are remembered.
pub(crate) const MAX_CLIENTS: usize = 65_536;

/// Addresses of clients and the slots of their nodes.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    young: HashMap<IpAddr, usize>,
    old: HashMap<IpAddr, usize>,
}

impl Remembered {
    /// The node that this client was on last, as far as that is remembered.
    pub(crate) fn slot_of(&self, client: IpAddr) -> Option<usize> {
        let client = client.to_canonical();
        self.young.get(&client).or_else(|| self.old.get(&client)).copied()
    }

    /// From now on this client belongs to this node.
    pub(crate) fn remember(&mut self, client: IpAddr, slot: usize) {
        let client = client.to_canonical();
        if self.young.len() >= MAX_CLIENTS / 2 && !self.young.contains_key(&client) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(client, slot);
    }

    /// The clients of this node belong to nobody.
    pub(crate) fn forget(&mut self, slot: usize) {
        self.young.retain(|_, other| *other != slot);
        self.old.retain(|_, other| *other != slot);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: usize) -> IpAddr {
        Ipv4Addr::from(u32::try_from(number).unwrap()).into()
    }

    #[test]
    fn the_table_is_bounded_and_keeps_whom_it_sees_again() {
        let mut remembered = Remembered::default();
        for number in 0..3 * MAX_CLIENTS {
            remembered.remember(address(number), number % 2);
            remembered.remember(address(0), 1);
            assert!(remembered.young.len() + remembered.old.len() <= MAX_CLIENTS);
        }
        assert_eq!(remembered.slot_of(address(0)), Some(1));
        assert_eq!(remembered.slot_of(address(1)), None);
        let newest = 3 * MAX_CLIENTS - 1;
        assert_eq!(remembered.slot_of(address(newest)), Some(newest % 2));
    }

    #[test]
    fn one_client_is_one_in_both_spellings_of_its_address() {
        let mut remembered = Remembered::default();
        remembered.remember("::ffff:10.0.0.7".parse().unwrap(), 3);
        assert_eq!(remembered.slot_of("10.0.0.7".parse().unwrap()), Some(3));
        remembered.forget(3);
        assert_eq!(remembered.slot_of("10.0.0.7".parse().unwrap()), None);
    }
}
