//! The seam: what every store does.

use std::fmt::Debug;
use std::pin::Pin;
use std::time::SystemTime;

use crate::app::App;
use crate::error::{Damaged, StoreError};
use crate::key::Key;
use crate::record::Record;

/// The future of one call to a store.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Keeps the newest version of each session, longer than any process lives.
///
/// Several processes may use what lies behind it at once, and none of them needs to know of the others: of two
/// versions of one session the greater one stays, in whatever order they arrive ([`Record::supersedes`]).
///
/// What a store promises, and the suite in `conformance` (a feature of that name) checks:
/// * An answered [`save`](Self::save) is durable as the store's own settings define it, and is seen by every load
///   that begins later. A save that was interrupted leaves each record as it was or as it should be, nothing else.
/// * A record is given back exactly as it was saved, or not at all.
/// * A tombstone stays until it is garbage, and no live version replaces it.
/// * A damaged record is put aside where a person can look at it, and is reported; all others stay readable.
/// * A call is bounded in time, and may be dropped half-way without harm: whether it took effect is then unknown.
///
/// A store never looks into the content, and never ends a session because of a clock.
///
/// A store of one's own is an `Arc<dyn Store>` as well; the tests of this crate have a small one in memory.
pub trait Store: Send + Sync + Debug + 'static {
    /// Its kind and place for logs, without any password: `file /var/lib/sessile`.
    fn name(&self) -> &str;

    /// Saves the records, tombstones among them, each as if it came alone and in this order; one outcome for each.
    ///
    /// # Errors
    /// Nothing is known of any of them: save them all again.
    fn save(&self, records: Vec<Record>) -> Answer<'_, Vec<Outcome>>;

    /// The stored version of a session, which may be a tombstone.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] once for a damaged record; from then on there is none.
    fn load(&self, key: Key) -> Answer<'_, Option<Record>>;

    /// The next records in the order of their keys. What is saved or removed meanwhile may or may not be seen.
    ///
    /// # Errors
    /// The page could not be read; ask for it again.
    fn scan(&self, scan: Scan) -> Answer<'_, Page>;

    /// Removes what is garbage at `now`, tombstones too ([`Lifetime::garbage_after`](crate::Lifetime::garbage_after));
    /// how many. The caller is sure of its clock, or subtracts what it is not sure of.
    ///
    /// # Errors
    /// Some of it may be left; purge again.
    fn purge(&self, now: SystemTime) -> Answer<'_, u64>;

    /// How much it holds.
    ///
    /// # Errors
    /// It cannot be told now.
    fn size(&self) -> Answer<'_, Size>;

    /// Finishes what was begun and gives back connections, files and locks. Every later call but this answers
    /// [`StoreError::Closed`].
    ///
    /// # Errors
    /// Something could not be finished; it is closed all the same.
    fn close(&self) -> Answer<'_, ()>;
}

/// What became of one record of a save.
#[derive(Debug)]
pub enum Outcome {
    /// It is stored.
    Saved,
    /// The store holds a newer version, or a tombstone; it stays. A load says which.
    Superseded,
    /// This one could not be stored, the others are not concerned.
    Failed(StoreError),
}

impl Outcome {
    /// Whether the record is stored.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        matches!(self, Self::Saved)
    }
}

/// Which records a scan wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Only keys above this one: the [`next`](Page::next) of the page before.
    pub after: Option<Key>,
    /// Only this application's.
    pub app: Option<App>,
    /// At most so many records; at least one is assumed.
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
pub struct Page {
    /// In the order of their keys; tombstones too. May be empty before the end.
    pub records: Vec<Record>,
    /// What was found damaged on the way.
    pub damaged: Vec<Damaged>,
    /// Where to go on; none at the end.
    pub next: Option<Key>,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Living sessions and tombstones.
    pub records: u64,
    /// The bytes they take in the medium, where the store can tell; what is about to be cleaned up included.
    pub bytes: u64,
    /// Damaged records that were put aside and wait for a person.
    pub damaged: u64,
}
