//! The body is `crates/apps/tests/corpus/archive.rs`, which the tests of that crate replay.
#![no_main]

#[path = "../../crates/apps/tests/corpus/archive.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::archive(input));
