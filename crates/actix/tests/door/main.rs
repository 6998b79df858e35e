//! An application behind the stock `SessionMiddleware`, whose store is the cluster: two nodes in one process,
//! over real connections on loopback.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod harness;
mod requests;
mod storing;
