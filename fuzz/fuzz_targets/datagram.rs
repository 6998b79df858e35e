//! The body is `crates/group/tests/corpus/datagram.rs`, which the tests of that crate replay.
#![no_main]

#[path = "../../crates/group/tests/corpus/datagram.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::datagram(input));
