//! The saved sessions: all of one size, with keys spread like random ones.

use std::time::{Duration, SystemTime};

use sessile::store::{AppName, Key, Lifetime, MalformedRecord, Record, RecordVersion};

/// Number and size of the sessions, and of one save.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreLoad {
    pub(super) sessions: usize,
    pub(super) bytes: usize,
    pub(super) batch: usize,
}

impl StoreLoad {
    /// The records of each save, one save after the other.
    pub(super) fn batches(self) -> impl Iterator<Item = Result<Vec<Record>, MalformedRecord>> {
        (0..self.sessions).step_by(self.batch).map(move |first| {
            let numbers = first..(first + self.batch).min(self.sessions);
            numbers.map(|number| record(number, self.bytes)).collect()
        })
    }

    /// All keys, in another order than that of the saves.
    pub(super) fn keys(self) -> impl Iterator<Item = Key> {
        // A prime above the largest number of sessions, so that each key comes exactly once.
        const STRIDE: usize = 15_485_863;
        (0..self.sessions).map(move |number| key((number * STRIDE) % self.sessions))
    }
}

fn key(number: usize) -> Key {
    Key::from((number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn record(number: usize, bytes: usize) -> Result<Record, MalformedRecord> {
    let lifetime = Lifetime::new(SystemTime::now(), Duration::from_secs(1800), Duration::from_secs(86_400));
    let content: Vec<u8> = (0..bytes).map(|place| (place ^ number).wrapping_mul(0x9e37) as u8).collect();
    Record::live(key(number), RecordVersion::new(vec![1])?, AppName::new("/bench")?, lifetime, content)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_session_is_saved_once_and_loaded_once() {
        let load = StoreLoad { sessions: 1000, bytes: 3, batch: 300 };
        let batches: Vec<_> = load.batches().collect::<Result<_, _>>().unwrap();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [300, 300, 300, 100]);
        let saved: BTreeSet<Key> = batches.concat().iter().map(|record| record.key).collect();
        assert_eq!((saved.len(), load.keys().collect::<BTreeSet<_>>()), (1000, saved));
    }
}
