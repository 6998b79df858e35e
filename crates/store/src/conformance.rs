//! Conformance tests that every store must pass.
//!
//! ```
//! # use std::sync::Arc;
//! # use sessile_store::{StoreFuture, FileOptions, FileStore, Store, StoreError, conformance};
//! # struct Mine(tempfile::TempDir, std::sync::atomic::AtomicU32);
//! impl conformance::Fixture for Mine {
//!     fn empty(&self) -> StoreFuture<'_, Arc<dyn Store>> {
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
use crate::store::{Store, StoreFuture};

/// Provides the tested stores to the suite.
pub trait Fixture: Send + Sync {
    /// A new, empty store that shares nothing with earlier ones.
    fn empty(&self) -> StoreFuture<'_, Arc<dyn Store>>;

    /// A second handle on the store of the last [`empty`](Self::empty), like another process while the first
    /// handle stays in use. `None` if only one process may use a store at a time.
    fn beside(&self) -> StoreFuture<'_, Option<Arc<dyn Store>>> {
        Box::pin(async { Ok(None) })
    }

    /// The store of the last [`empty`](Self::empty), reopened after it was closed. `None` if it does not
    /// outlive its handle.
    fn again(&self) -> StoreFuture<'_, Option<Arc<dyn Store>>> {
        self.beside()
    }

    /// Changes a byte of a stored record outside of the store; false if the fixture cannot.
    fn damage(&self, _key: Key) -> StoreFuture<'_, bool> {
        Box::pin(async { Ok(false) })
    }
}

/// Runs the whole suite.
///
/// # Panics
/// At the first violation; the message describes it.
pub async fn check(fixture: &dyn Fixture) {
    order::an_older_version_never_replaces_a_newer_one(fixture).await;
    order::a_tombstone_beats_every_version(fixture).await;
    order::the_greatest_version_of_a_batch_wins(fixture).await;
    order::versions_are_ordered_byte_by_byte(fixture).await;
    order::two_handles_agree_on_the_newest_version(fixture).await;
    durability::a_record_is_given_back_as_it_was_saved(fixture).await;
    durability::saved_records_survive_closing(fixture).await;
    durability::a_closed_store_says_so(fixture).await;
    durability::a_damaged_record_harms_no_other(fixture).await;
    durability::an_oversized_record_fails_alone(fixture).await;
    scanning::pages_hold_every_record_once(fixture).await;
    scanning::a_scan_can_be_for_one_app(fixture).await;
    scanning::purge_removes_only_garbage(fixture).await;
}
