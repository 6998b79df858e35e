//! The interface of stores.

use std::fmt::Debug;
use std::pin::Pin;
use std::time::SystemTime;

use crate::app::AppName;
use crate::error::{DamagedRecord, StoreError};
use crate::key::Key;
use crate::record::Record;

/// The future of one call to a store.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Keeps the newest version of each session, longer than any process lives.
///
/// Several processes may use the same storage at once without knowing each other: of two versions of one
/// session the greater one stays, in any order of arrival ([`Record::supersedes`]).
///
/// Promises of a store, checked by the suite in `conformance` (a feature of that name):
/// * An answered [`save`](Self::save) is durable as the store's own settings define it, and is seen by every
///   load that begins later. A save that was interrupted leaves each record as it was or as it should be,
///   nothing else.
/// * A load returns a record exactly as it was saved, or not at all.
/// * A tombstone stays until it is garbage, and no live version replaces it.
/// * A damaged record is quarantined for inspection and reported; all others stay readable.
/// * A call is bounded in time, and may be dropped at any time without harm: its effect is then unknown.
///
/// A store never reads the content, and never ends a session because of a clock.
///
/// A custom store is an `Arc<dyn Store>` as well; the tests of this crate have a small one in memory.
pub trait Store: Send + Sync + Debug + 'static {
    /// Kind and place for logs, without any password: `file /var/lib/sessile`.
    fn name(&self) -> &str;

    /// Saves records and tombstones, each as if it came alone and in this order; returns one outcome for
    /// each.
    ///
    /// # Errors
    /// The outcome of all records is unknown: save them all again.
    fn save(&self, records: Vec<Record>) -> StoreFuture<'_, Vec<SaveOutcome>>;

    /// The stored version of a session, which may be a tombstone.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] once for a damaged record; later loads find no record.
    fn load(&self, key: Key) -> StoreFuture<'_, Option<Record>>;

    /// The next records in the order of their keys. Records saved or removed meanwhile may or may not be
    /// seen.
    ///
    /// # Errors
    /// The page could not be read; ask for it again.
    fn scan(&self, scan: Scan) -> StoreFuture<'_, ScanPage>;

    /// Removes records and tombstones that are garbage at `now`
    /// ([`Lifetime::garbage_after`](crate::Lifetime::garbage_after)); returns their number. The caller must
    /// trust its clock, or subtract its uncertainty.
    ///
    /// # Errors
    /// Some garbage may be left; purge again.
    fn purge(&self, now: SystemTime) -> StoreFuture<'_, u64>;

    /// The size of the store.
    ///
    /// # Errors
    /// The size is unknown now.
    fn size(&self) -> StoreFuture<'_, StoreSize>;

    /// Finishes running work and releases connections, files and locks. Every later call except this one
    /// fails with [`StoreError::Closed`].
    ///
    /// # Errors
    /// Some work could not be finished; the store is closed in any case.
    fn close(&self) -> StoreFuture<'_, ()>;
}

/// The outcome of one record of a save.
#[derive(Debug)]
pub enum SaveOutcome {
    /// It is stored.
    Saved,
    /// The store holds a newer version or a tombstone, which stays.
    Superseded,
    /// This record could not be stored; other records are not affected.
    Failed(StoreError),
}

impl SaveOutcome {
    /// Whether the record is stored.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        matches!(self, Self::Saved)
    }
}

/// Selects the records of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Only keys above this one: the [`next`](ScanPage::next) of the page before.
    pub after: Option<Key>,
    /// Only this application's.
    pub app: Option<AppName>,
    /// Most records of a page; at least one is assumed.
    pub limit: usize,
}

impl Scan {
    /// All records from the first on, in pages of `limit`.
    #[must_use]
    pub fn pages_of(limit: usize) -> Self {
        Self { after: None, app: None, limit }
    }
}

/// Some records of a scan.
#[derive(Debug, Default)]
pub struct ScanPage {
    /// In the order of their keys; tombstones too. May be empty before the end.
    pub records: Vec<Record>,
    /// Records found damaged during the scan.
    pub damaged: Vec<DamagedRecord>,
    /// An error for each record that cannot be decrypted: [`StoreError::Undecryptable`].
    pub undecryptable: Vec<StoreError>,
    /// Where to continue; `None` at the end.
    pub next: Option<Key>,
}

impl ScanPage {
    /// The page, if every record of it could be decrypted.
    ///
    /// # Errors
    /// [`StoreError::Undecryptable`] of the first one that could not.
    pub fn all_decrypted(mut self) -> Result<Self, StoreError> {
        if self.undecryptable.is_empty() { Ok(self) } else { Err(self.undecryptable.swap_remove(0)) }
    }
}

/// The size of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreSize {
    /// Living sessions and tombstones.
    pub records: u64,
    /// Bytes on the medium, if known; including dead records.
    pub bytes: u64,
    /// DamagedRecord records that were put aside and wait for a person.
    pub damaged: u64,
}
