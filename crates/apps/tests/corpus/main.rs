//! What fuzzing found interesting is replayed by every test run. The body is that of the fuzz target.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod archive;
#[path = "../../../../fuzz/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn archives() {
    replay("archive", archive::archive);
}
