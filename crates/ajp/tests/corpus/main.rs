//! Replays the inputs that fuzzing found interesting. The body is that of the fuzz target.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod ajp;
#[path = "../../../../fuzz/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn connections() {
    replay("ajp", ajp::ajp);
}
