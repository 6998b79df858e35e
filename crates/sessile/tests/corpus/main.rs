//! What fuzzing found interesting is replayed by every test run. The bodies are those of the fuzz targets.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod config;
mod cookie;
#[path = "../../../../fuzz/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn configurations() {
    replay("config", config::config);
}

#[test]
fn cookies() {
    replay("cookie", cookie::cookie);
}
