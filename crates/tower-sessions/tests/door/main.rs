//! An application behind the stock `SessionManagerLayer`, whose store is the cluster: two nodes in one
//! process, over real connections on loopback.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod finality;
mod harness;
mod merging;
mod routes;
mod storing;
