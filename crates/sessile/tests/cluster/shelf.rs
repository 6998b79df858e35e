//! A store in memory that fails, blocks and forgets as a test says.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::SystemTime;

use sessile::store::{
    DamagedRecord, Key, Record, SaveOutcome, Scan, ScanPage, Store, StoreError, StoreFuture, StoreSize,
};
use tokio::sync::watch;

/// The store, and the hand on it.
#[derive(Debug)]
pub(crate) struct Shelf {
    records: Mutex<BTreeMap<Key, Record>>,
    is_down: AtomicBool,
    is_damaged: AtomicBool,
    pub(crate) loads: AtomicUsize,
    open: watch::Sender<bool>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            records: Mutex::default(),
            is_down: AtomicBool::new(false),
            is_damaged: AtomicBool::new(false),
            loads: AtomicUsize::new(0),
            open: watch::Sender::new(true),
        }
    }
}

impl Shelf {
    /// From now on every call fails, or none.
    pub(crate) fn is_down(&self, down: bool) {
        self.is_down.store(down, SeqCst);
    }

    /// From now on every load finds a damaged record.
    pub(crate) fn damage(&self) {
        self.is_damaged.store(true, SeqCst);
    }

    /// From now on calls wait.
    pub(crate) fn block(&self) {
        self.open.send_replace(false);
    }

    /// All that wait go on.
    pub(crate) fn release(&self) {
        self.open.send_replace(true);
    }

    /// Living sessions, and ends.
    pub(crate) fn holds(&self) -> (usize, usize) {
        let records = self.records.lock().unwrap();
        let ended = records.values().filter(|record| record.is_ended()).count();
        (records.len() - ended, ended)
    }

    async fn turn(&self) -> Result<(), StoreError> {
        let _ = self.open.subscribe().wait_for(|open| *open).await;
        if self.is_down.load(SeqCst) {
            return Err(StoreError::unavailable(self.name(), "the test said so"));
        }
        Ok(())
    }
}

impl Store for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }

    fn save(&self, records: Vec<Record>) -> StoreFuture<'_, Vec<SaveOutcome>> {
        Box::pin(async move {
            self.turn().await?;
            let mut stored = self.records.lock().unwrap();
            let put = |record: Record| {
                if stored.get(&record.key).is_some_and(|stored| !record.supersedes(stored)) {
                    return SaveOutcome::Superseded;
                }
                stored.insert(record.key, record);
                SaveOutcome::Saved
            };
            Ok(records.into_iter().map(put).collect())
        })
    }

    fn load(&self, key: Key) -> StoreFuture<'_, Option<Record>> {
        Box::pin(async move {
            // Nobody's key is asked for to see whether the store works.
            self.loads.fetch_add(usize::from(key.0 != [0; Key::BYTES]), SeqCst);
            self.turn().await?;
            if self.is_damaged.load(SeqCst) {
                let damaged =
                    DamagedRecord { key: Some(key), place: "the test".into(), cause: "a bit".into() };
                return Err(StoreError::Damaged(damaged));
            }
            Ok(self.records.lock().unwrap().get(&key).cloned())
        })
    }

    fn scan(&self, scan: Scan) -> StoreFuture<'_, ScanPage> {
        Box::pin(async move {
            self.turn().await?;
            let stored = self.records.lock().unwrap();
            let after = scan.after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
            let rest = stored.range((after, std::ops::Bound::Unbounded));
            let records: Vec<Record> =
                rest.take(scan.limit.max(1)).map(|(_, record)| record.clone()).collect();
            let next = records.last().filter(|_| records.len() == scan.limit.max(1)).map(|last| last.key);
            Ok(ScanPage { records, next, ..ScanPage::default() })
        })
    }

    fn purge(&self, now: SystemTime) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            self.turn().await?;
            let mut stored = self.records.lock().unwrap();
            let before = stored.len();
            stored.retain(|_, record| record.lifetime.garbage_after() > now);
            Ok((before - stored.len()) as u64)
        })
    }

    fn size(&self) -> StoreFuture<'_, StoreSize> {
        Box::pin(async move {
            let records = self.records.lock().unwrap().len() as u64;
            Ok(StoreSize { records, bytes: 0, damaged: 0 })
        })
    }

    // The next cluster of the test uses it again.
    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
