//! Fixtures for the stores, and the servers that they need.

mod file;
mod sample;
mod sealed;
mod server;
mod stores;

pub use file::FileFixture;
pub use sample::{again_once_it_is_back, ended, live};
pub use sealed::{ring, sealed};
pub use server::{Server, free_port, skip};
pub use stores::{PostgresFixture, RedbFixture, RedisFixture};
