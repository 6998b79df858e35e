//! The protocol, byte by byte, against a web server of the tests' own.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod bodies;
mod connections;
#[path = "../peer/mod.rs"]
mod peer;
mod requests;
mod responses;
