//! The body is `crates/core/tests/corpus/frame.rs`, which the tests of that crate replay.
#![no_main]

#[path = "../../crates/core/tests/corpus/frame.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::frame(input));
