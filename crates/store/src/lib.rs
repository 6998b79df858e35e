//! Keeps the bytes of sessions longer than any process lives: in files, an embedded database, PostgreSQL,
//! Valkey or Redis.
//!
//! It knows keys, an order of versions, times and opaque content, and must not know what an attribute, a
//! cluster or a node is. It makes no decisions about sessions: the caller decides when to save and how to
//! interpret a loaded record.
//!
//! [`FileStore`] is always there; `PostgresStore`, `RedbStore` and `RedisStore` come with the features
//! `postgres`, `redb` and `redis`, and the suite for custom stores with `conformance`. [`Encrypted`] wraps
//! any of them.
//!
//! Next: [`Store`] is the interface and its contract; [`Record`] is the stored unit.

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
pub use self::postgres::{Columns, NameError, PostgresOptions, PostgresStore, TableNames};
#[cfg(feature = "redb")]
pub use self::redb::{RedbOptions, RedbStore};
#[cfg(feature = "redis")]
pub use self::redis::{RedisOptions, RedisStore};
pub use app::AppName;
pub use copy::{CopyReport, copy};
pub use encrypted::{Encrypted, is_sealed};
pub use error::{DamagedRecord, MalformedRecord, StoreError};
pub use file::{FileOptions, FileStore};
pub use key::Key;
pub use key_ring::{KeyFileError, KeyRing};
pub use lifetime::Lifetime;
pub use record::{Record, RecordContent};
pub use record_version::RecordVersion;
pub use store::{SaveOutcome, Scan, ScanPage, Store, StoreFuture, StoreSize};
