//! What fuzzing found interesting is replayed by every test run. The body is that of the fuzz target.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod datagram;
#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn datagrams() {
    replay::replay("datagram", datagram::datagram);
}
