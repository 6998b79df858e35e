//! Keeps the bytes of sessions longer than any process lives: in files, an embedded database, PostgreSQL, Valkey or
//! Redis.
//!
//! It knows keys, an order of versions, times and opaque content, and must not know what an attribute, a cluster or
//! a node is. It decides nothing about a session: who saves when, and what a record that was loaded means, is its
//! caller's business.
//!
//! Where to go next: [`Store`] is the seam and its contract; [`Record`] is what is kept.

mod app;
mod error;
mod key;
mod lifetime;
mod record;
mod stamp;
mod store;

pub use app::App;
pub use error::{Damaged, Malformed, StoreError};
pub use key::Key;
pub use lifetime::Lifetime;
pub use record::{Content, Record};
pub use stamp::Stamp;
pub use store::{Answer, Outcome, Page, Scan, Size, Store};
