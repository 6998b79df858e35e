//! The body is `crates/core/tests/corpus/stored.rs`, which the tests of that crate replay.
#![no_main]

#[path = "../../crates/core/tests/corpus/stored.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::stored(input));
