//! WebAssembly applications by what they promise: the session, the limits, what stays hidden, two nodes.
//!
//! `cargo test -p sessile-apps --features wasm --test component`. The guests are `samples/probe` and
//! `samples/shop`, built by `cargo run --manifest-path samples/builder/Cargo.toml`.

#![cfg(feature = "wasm")]
#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

mod carts;
mod guests;
mod limits;
mod outside;
mod preparing;
mod reuse;
mod sessions;
mod shop;
mod site;
mod two_nodes;
