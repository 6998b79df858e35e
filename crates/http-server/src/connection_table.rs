//! Which connections are admitted: bounds for all and for each source, and who goes when there is no room.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::connection_counts::ConnectionCounts;
use crate::connection_state::ConnectionState;
use crate::{Limits, Network};

/// The connections of one server. Clones are the same table.
#[derive(Debug, Clone)]
pub struct ConnectionTable(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connections: usize,
    per_source: usize,
    /// Whose connections only the bound for all counts.
    unbounded: Vec<Network>,
    counts: Arc<ConnectionCounts>,
    table: Mutex<Table>,
    /// A connection has ended.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: HashMap<u64, Open>,
    per_source: HashMap<IpAddr, usize>,
    /// The sum of these.
    counted: usize,
}

#[derive(Debug)]
struct Open {
    source: IpAddr,
    state: Arc<ConnectionState>,
    /// It was told to end and counts no more.
    is_leaving: bool,
}

/// Whether a connection has room.
#[derive(Debug)]
pub enum Admission {
    /// It has, until this is dropped.
    Admitted(Admitted),
    /// Its source has as many connections as it may have, and none of them is idle.
    TooManyOfSource,
    /// There are as many connections as there may be, and none of them is idle.
    Full,
}

/// The place of a connection in the table.
#[derive(Debug)]
pub struct Admitted {
    shared: Arc<Shared>,
    key: u64,
    pub(crate) state: Arc<ConnectionState>,
}

impl ConnectionTable {
    /// A table with these bounds. `unbounded` are networks whose sources have no bound of their own, as
    /// trusted proxies, behind which many clients are. What happens is counted in `counts`.
    #[must_use]
    pub fn new(limits: &Limits, unbounded: Vec<Network>, counts: Arc<ConnectionCounts>) -> Self {
        Self(Arc::new(Shared {
            connections: limits.connections as usize,
            per_source: limits.connections_per_source as usize,
            unbounded,
            counts,
            table: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// Admits a connection of this peer if there is room, or can be made by ending an idle one: the longest
    /// idle of the same source where that has too many, else the longest idle of the source that has most.
    #[must_use]
    pub fn admit(&self, peer: IpAddr) -> Admission {
        let shared = &self.0;
        let source = source_of(peer);
        let mut table = shared.table.lock();
        let is_bounded = !shared.unbounded.iter().any(|network| network.contains(peer));
        let of_source = table.per_source.get(&source).copied().unwrap_or(0);
        if is_bounded && of_source >= shared.per_source {
            if !table.end_idle(|open| open.source == source) {
                shared.counts.refused();
                return Admission::TooManyOfSource;
            }
            shared.counts.evicted();
        }
        if table.counted >= shared.connections {
            if !table.end_idle_of_fullest() {
                return Admission::Full;
            }
            shared.counts.evicted();
        }
        shared.counts.admitted();
        let key = table.next;
        table.next += 1;
        *table.per_source.entry(source).or_default() += 1;
        table.counted += 1;
        let state = Arc::new(ConnectionState::new());
        table.open.insert(key, Open { source, state: Arc::clone(&state), is_leaving: false });
        Admission::Admitted(Admitted { shared: Arc::clone(shared), key, state })
    }

    /// Waits for a connection to end, at most a moment: one may have become idle meanwhile.
    pub async fn wait_for_room(&self) {
        let moment = std::time::Duration::from_millis(100);
        // Either way the table is asked again.
        let _ = tokio::time::timeout(moment, self.0.freed.notified()).await;
    }

    /// How many connections are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.table.lock().open.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Table {
    /// Ends the longest idle connection among these, if one is idle.
    fn end_idle(&mut self, among: impl Fn(&Open) -> bool) -> bool {
        let idle = self.open.values_mut().filter(|open| !open.is_leaving && among(open));
        let longest = idle.filter_map(|open| open.state.idle().map(|time| (time, open)));
        let Some((_, open)) = longest.max_by_key(|(time, _)| *time) else { return false };
        open.is_leaving = true;
        open.state.close.notify_one();
        let source = open.source;
        self.forget(source);
        true
    }

    /// Ends the longest idle connection of the source that has most, of those that have an idle one.
    fn end_idle_of_fullest(&mut self) -> bool {
        let with_idle = self.open.values().filter(|open| !open.is_leaving && open.state.idle().is_some());
        let count = |source: &IpAddr| self.per_source.get(source).copied().unwrap_or(0);
        let fullest = with_idle.map(|open| open.source).max_by_key(count);
        fullest.is_some_and(|fullest| self.end_idle(|open| open.source == fullest))
    }

    /// One connection of this source counts no more.
    fn forget(&mut self, source: IpAddr) {
        if let Some(count) = self.per_source.get_mut(&source) {
            *count -= 1;
            self.counted -= 1;
            if *count == 0 {
                self.per_source.remove(&source);
            }
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut table = self.shared.table.lock();
        if let Some(open) = table.open.remove(&self.key)
            && !open.is_leaving
        {
            table.forget(open.source);
        }
        drop(table);
        self.shared.freed.notify_one();
    }
}

/// The source of a peer: an IPv4 address, or the /64 that one IPv6 subscriber has.
fn source_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(connections: u32, connections_per_source: u32) -> ConnectionTable {
        ConnectionTable::new(
            &Limits { connections, connections_per_source, ..Limits::default() },
            vec!["10.9.0.0/16".parse().expect("a network")],
            Arc::default(),
        )
    }

    fn admit(table: &ConnectionTable, peer: &str) -> Option<Admitted> {
        match table.admit(peer.parse().expect("an address")) {
            Admission::Admitted(admitted) => Some(admitted),
            _ => None,
        }
    }

    fn is_ended(admitted: &Admitted) -> bool {
        use futures_util::FutureExt;
        admitted.state.close.notified().now_or_never().is_some()
    }

    #[test]
    fn a_source_that_has_too_many_loses_its_longest_idle_one() {
        let table = table(100, 2);
        let first = admit(&table, "10.0.0.1").expect("room");
        let second = admit(&table, "10.0.0.1").expect("room");
        let other = admit(&table, "10.0.0.2").expect("room");
        let busy = first.state.begin_request();
        let third = admit(&table, "10.0.0.1").expect("the second one is idle");
        assert!(is_ended(&second) && !is_ended(&first) && !is_ended(&other));
        let _busy = third.state.begin_request();
        assert!(matches!(table.admit("10.0.0.1".parse().expect("an address")), Admission::TooManyOfSource));
        drop(busy);
        assert!(admit(&table, "10.0.0.1").is_some());
        let numbers = table.0.counts.numbers();
        assert_eq!((numbers.admitted, numbers.evicted, numbers.refused), (5, 2, 1));
    }

    #[test]
    fn when_all_are_taken_the_fullest_source_gives_way() {
        let table = table(4, 4);
        let fullest: Vec<_> = (0..3).map(|_| admit(&table, "10.0.0.1").expect("room")).collect();
        let single = admit(&table, "10.0.0.2").expect("room");
        let _new = admit(&table, "10.0.0.3").expect("room was made");
        assert_eq!(fullest.iter().filter(|one| is_ended(one)).count(), 1);
        assert!(!is_ended(&single));
        let _busy: Vec<_> = fullest.iter().map(|one| one.state.begin_request()).collect();
        let _busy_too = (single.state.begin_request(), _new.state.begin_request());
        assert!(matches!(table.admit("10.0.0.4".parse().expect("an address")), Admission::Full));
        drop(single);
        assert!(admit(&table, "10.0.0.4").is_some());
    }

    #[test]
    fn trusted_proxies_have_no_bound_of_their_own_and_a_subscriber_is_one_source() {
        let table = table(100, 1);
        let kept: Vec<_> = (0..5).map(|_| admit(&table, "10.9.0.1").expect("room")).collect();
        assert!(kept.iter().all(|one| !is_ended(one)));
        let first = admit(&table, "2001:db8::1").expect("room");
        let _second = admit(&table, "2001:db8::ffff:1").expect("the first one is idle");
        assert!(is_ended(&first));
        let ends = table.len();
        drop((kept, first));
        assert_eq!(table.len(), ends - 6);
    }
}
