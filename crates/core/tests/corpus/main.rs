//! Replays the inputs that fuzzing found interesting. The bodies are those of the fuzz targets.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod frame;
#[path = "../../../../fuzz/replay.rs"]
mod replay;
mod stored;

use replay::replay;

#[test]
fn frames() {
    replay("frame", frame::frame);
}

#[test]
fn stored_sessions() {
    replay("stored", stored::stored);
}
