//! Which node a client's address was on last. Pure: no socket, no clock.
//!
//! Two generations: who is asked for moves to the recent one; when that is full it becomes the previous one,
//! and the one before it is forgotten. So the table is bounded, and a client that comes again within
//! [`MAX_CLIENTS`] / 2 other clients is known.

use std::collections::HashMap;
use std::net::IpAddr;

/// Most addresses of clients in the table.
pub(crate) const MAX_CLIENTS: usize = 65_536;

/// Addresses of clients and the indexes of their nodes.
#[derive(Debug, Default)]
pub(crate) struct StickTable {
    recent: HashMap<IpAddr, usize>,
    previous: HashMap<IpAddr, usize>,
}

impl StickTable {
    /// The node that this client was on last, if the table still has it.
    pub(crate) fn backend_of(&self, client: IpAddr) -> Option<usize> {
        let client = client.to_canonical();
        self.recent.get(&client).or_else(|| self.previous.get(&client)).copied()
    }

    /// From now on this client belongs to this node.
    pub(crate) fn remember(&mut self, client: IpAddr, index: usize) {
        let client = client.to_canonical();
        if self.recent.len() >= MAX_CLIENTS / 2 && !self.recent.contains_key(&client) {
            self.previous = std::mem::take(&mut self.recent);
        }
        self.recent.insert(client, index);
    }

    /// The clients of this node belong to nobody.
    pub(crate) fn forget(&mut self, index: usize) {
        self.recent.retain(|_, other| *other != index);
        self.previous.retain(|_, other| *other != index);
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
        let mut table = StickTable::default();
        for number in 0..3 * MAX_CLIENTS {
            table.remember(address(number), number % 2);
            table.remember(address(0), 1);
            assert!(table.recent.len() + table.previous.len() <= MAX_CLIENTS);
        }
        assert_eq!(table.backend_of(address(0)), Some(1));
        assert_eq!(table.backend_of(address(1)), None);
        let newest = 3 * MAX_CLIENTS - 1;
        assert_eq!(table.backend_of(address(newest)), Some(newest % 2));
    }

    #[test]
    fn one_client_is_one_in_both_spellings_of_its_address() {
        let mut table = StickTable::default();
        table.remember("::ffff:10.0.0.7".parse().unwrap(), 3);
        assert_eq!(table.backend_of("10.0.0.7".parse().unwrap()), Some(3));
        table.forget(3);
        assert_eq!(table.backend_of("10.0.0.7".parse().unwrap()), None);
    }
}
