//! Pages of sessions, in the order of their shards and keys.
//!
//! A table has no order of its own, so each page looks at all keys of a shard and keeps the smallest ones:
//! O(n log `limit`) for n sessions in the shard. No hold of a shard's lock looks at more than
//! [`SLOTS_PER_HOLD`] keys or makes more than [`ROWS_PER_HOLD`] rows, so a listing never delays a request by
//! more than that.

use std::collections::BinaryHeap;
use std::time::Duration;

use crate::key::SHARDS;
use crate::node::Node;
use crate::shard::Shard;
use crate::table::Table;
use crate::{AppId, Instant, SessionKey};

/// Keys that are compared while a shard's lock is held once.
const SLOTS_PER_HOLD: u32 = 2048;
/// Rows that are made while a shard's lock is held once.
const ROWS_PER_HOLD: usize = 64;

/// A session as the admin pages show it: never its secret, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The session.
    pub key: SessionKey,
    /// Its application.
    pub app: AppId,
    /// Live attributes.
    pub attributes: usize,
    /// Bytes of names and values.
    pub bytes: usize,
    /// Time since its last use, by this node's clock.
    pub idle: Duration,
    /// Complete copies that this node knows of, its own included.
    pub copies: u32,
}

/// The smallest keys of one shard, above a bound and at most so many.
struct SmallestKeys {
    above: Option<SessionKey>,
    limit: usize,
    /// The largest one is on top.
    keys: BinaryHeap<SessionKey>,
}

impl SmallestKeys {
    /// Looks at the next slots of the table; gives the first slot that was not looked at, `None` at the end.
    fn look_at(&mut self, table: &Table, from: u32) -> Option<u32> {
        let (slots, to) = (table.slots(), from.saturating_add(SLOTS_PER_HOLD));
        for session in (from..to.min(slots)).filter_map(|slot| table.slot(slot)) {
            self.consider(session.key);
        }
        (to < slots).then_some(to)
    }

    fn consider(&mut self, key: SessionKey) {
        if self.above.is_some_and(|above| key <= above) {
            return;
        }
        if self.keys.len() < self.limit {
            self.keys.push(key);
        } else if let Some(mut largest) = self.keys.peek_mut().filter(|largest| key < **largest) {
            *largest = key;
        }
    }
}

impl Node {
    /// A page of sessions: shard by shard, within a shard by key, from after `after`, at most `limit`. Fewer
    /// than `limit` are the last page. What comes or goes meanwhile may or may not be seen.
    pub fn sessions(&self, after: Option<SessionKey>, limit: usize, now: Instant) -> Vec<SessionRow> {
        let first = after.map_or(0, SessionKey::shard);
        let mut rows = Vec::new();
        for number in first..SHARDS {
            let mut above = after.filter(|_| number == first);
            // Sessions of which the row cannot be made any more are replaced by the next ones.
            while rows.len() < limit {
                let keys = self.smallest_keys(number, above, limit - rows.len());
                let Some(last) = keys.last() else { break };
                above = Some(*last);
                for keys in keys.chunks(ROWS_PER_HOLD) {
                    let shard = self.shards[number].lock();
                    rows.extend(keys.iter().filter_map(|key| row(&shard, *key, now)));
                }
            }
        }
        rows
    }

    fn smallest_keys(&self, number: usize, above: Option<SessionKey>, limit: usize) -> Vec<SessionKey> {
        let mut smallest = SmallestKeys { above, limit, keys: BinaryHeap::new() };
        let mut next = Some(0);
        while let Some(from) = next {
            next = smallest.look_at(self.shards[number].lock().table(), from);
        }
        smallest.keys.into_sorted_vec()
    }
}

fn row(shard: &Shard, key: SessionKey, now: Instant) -> Option<SessionRow> {
    let session = shard.table().get(key)?;
    Some(SessionRow {
        key,
        app: session.app,
        attributes: session.fields.attribute_count(),
        bytes: session.fields.weight(),
        idle: session.idle(now),
        copies: shard.copies(key),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::Birth;
    use crate::session::Session;

    #[test]
    fn one_hold_of_the_lock_looks_at_a_bounded_number_of_keys() {
        let mut table = Table::default();
        for number in 0..SLOTS_PER_HOLD as u128 * 2 {
            let key = SessionKey(number.to_be_bytes());
            table.insert(Session::new(key, AppId::default(), Birth::default(), Instant::ORIGIN));
        }
        let mut smallest = SmallestKeys { above: None, limit: usize::MAX, keys: BinaryHeap::new() };
        assert_eq!(smallest.look_at(&table, 0), Some(SLOTS_PER_HOLD));
        assert_eq!(smallest.keys.len(), SLOTS_PER_HOLD as usize);
        assert_eq!(smallest.look_at(&table, SLOTS_PER_HOLD), None);
        assert_eq!(smallest.keys.len(), table.len());
    }
}
