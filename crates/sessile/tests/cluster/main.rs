//! Whole clusters in one process, over real connections on loopback: applications behind session layers, and
//! browsers that go from node to node.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod apart;
mod browsers;
mod carrying;
mod detached;
mod harness;
mod idempotency;
mod joining;
mod layers;
mod listening;
mod logins;
mod losing;
mod managers;
mod persisting;
mod road;
mod senders;
mod sessions;
mod shelf;
mod stopped;
mod stopping;
mod swapping;
mod views;
