//! TLS with rustls: certificates of this end, and what is demanded of the other.

mod client;
mod files;
mod names;
mod server;

pub use client::{BackendTls, TlsClient};
pub use files::TlsError;
pub use server::TlsServer;
