//! What fuzzing found interesting is replayed by every test run. The bodies are those of the fuzz targets.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod http;
#[path = "../../../../fuzz/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn requests() {
    replay("request", http::request);
}

#[test]
fn responses() {
    replay("response", http::response);
}
