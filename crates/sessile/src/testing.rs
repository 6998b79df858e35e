//! Tests of services, without files and ports: a [`Browser`] that keeps cookies as real ones do, and nodes in this process.

mod browser;

pub use browser::Browser;
