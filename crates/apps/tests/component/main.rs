//! WebAssembly applications by what they promise: the session, the limits, what stays hidden, two nodes.
//!
//! `cargo test -p sessile-apps --features wasm --test component`. The guest is `samples/probe`, built by
//! `cargo run --manifest-path samples/builder/Cargo.toml`.

#![cfg(feature = "wasm")]
#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

mod guests;
mod limits;
mod outside;
mod preparing;
mod reuse;
mod sessions;
mod site;
mod two_nodes;
