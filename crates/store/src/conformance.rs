//! What every store must do, as a suite that any store can be put through.
//!
//! ```
//! # use std::sync::Arc;
//! # use sessile_store::{Answer, FileOptions, FileStore, Store, StoreError, conformance};
//! # struct Mine(tempfile::TempDir, std::sync::atomic::AtomicU32);
//! impl conformance::Fixture for Mine {
//!     fn empty(&self) -> Answer<'_, Arc<dyn Store>> {
//!         Box::pin(async {
//! #           let number = self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
//! #           let folder = self.0.path().join(number.to_string());
//!             let store: Arc<dyn Store> = Arc::new(FileStore::open(FileOptions::new(folder)).await?);
//!             Ok(store)
//!         })
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! # let mine = Mine(tempfile::tempdir().unwrap(), Default::default());
//! conformance::check(&mine).await;
//! # }
//! ```

mod durability;
mod order;
mod sample;
mod scanning;

use std::sync::Arc;

use crate::key::Key;
use crate::store::{Answer, Store};

/// How the suite comes to the stores that it tests.
pub trait Fixture: Send + Sync {
    /// A new, empty store that shares nothing with those before.
    fn empty(&self) -> Answer<'_, Arc<dyn Store>>;

    /// A second handle on what the last [`empty`](Self::empty) made, as another process would have it while the
    /// first handle stays in use. `None` if only one process may use it at a time.
    fn beside(&self) -> Answer<'_, Option<Arc<dyn Store>>> {
        Box::pin(async { Ok(None) })
    }

    /// The store that the last [`empty`](Self::empty) made, opened again after it was closed. `None` if it does not
    /// outlive its handle.
    fn again(&self) -> Answer<'_, Option<Arc<dyn Store>>> {
        self.beside()
    }

    /// Changes a byte of a stored record behind the store's back; false if the fixture cannot.
    fn damage(&self, _key: Key) -> Answer<'_, bool> {
        Box::pin(async { Ok(false) })
    }
}

/// Runs the whole suite.
///
/// # Panics
/// At the first thing that a store must not do; the message says what.
pub async fn check(fixture: &dyn Fixture) {
    order::an_older_version_never_replaces_a_newer_one(fixture).await;
    order::a_tombstone_beats_every_version(fixture).await;
    order::the_last_of_a_batch_wins_by_its_stamp(fixture).await;
    order::stamps_are_ordered_byte_by_byte(fixture).await;
    order::two_handles_agree_on_the_newest_version(fixture).await;
    durability::a_record_is_given_back_as_it_was_saved(fixture).await;
    durability::what_was_saved_is_there_after_closing(fixture).await;
    durability::a_closed_store_says_so(fixture).await;
    durability::a_damaged_record_harms_no_other(fixture).await;
    durability::what_is_too_large_fails_alone(fixture).await;
    scanning::pages_hold_every_record_once(fixture).await;
    scanning::a_scan_can_be_for_one_app(fixture).await;
    scanning::garbage_is_removed_and_nothing_else(fixture).await;
}
