//! Keeps the bytes of sessions longer than any process lives: in files, an embedded database, PostgreSQL, Valkey or
//! Redis.
//!
//! It knows keys, an order of versions, times and opaque content, and must not know what an attribute, a cluster or
//! a node is. It decides nothing about a session: who saves when, and what a record that was loaded means, is its
//! caller's business.
//!
//! [`FileStore`] is always there; `PostgresStore`, `RedbStore` and `RedisStore` come with the features `postgres`,
//! `redb` and `redis`, and the suite that a store of one's own has to pass with `conformance`. [`Encrypted`] goes
//! around any of them.
//!
//! Where to go next: [`Store`] is the seam and its contract; [`Record`] is what is kept.

mod app;
mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
mod copy;
mod encrypted;
mod error;
mod file;
mod key;
mod key_ring;
mod lifetime;
#[cfg(feature = "postgres")]
mod postgres;
mod record;
mod record_version;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "redis")]
mod redis;
mod store;

#[cfg(feature = "postgres")]
pub use self::postgres::{Columns, NameError, Names, PostgresOptions, PostgresStore};
#[cfg(feature = "redb")]
pub use self::redb::{RedbOptions, RedbStore};
#[cfg(feature = "redis")]
pub use self::redis::{RedisOptions, RedisStore};
pub use app::App;
pub use copy::{Copied, copy};
pub use encrypted::Encrypted;
pub use error::{Damaged, Malformed, StoreError};
pub use file::{FileOptions, FileStore};
pub use key::Key;
pub use key_ring::{KeyFileError, KeyRing};
pub use lifetime::Lifetime;
pub use record::{Content, Record};
pub use record_version::RecordVersion;
pub use store::{Answer, Outcome, Page, Scan, Size, Store};
