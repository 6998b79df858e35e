//! The body is `crates/ajp/tests/corpus/ajp.rs`, which the tests of that crate replay.
#![no_main]

#[path = "../../crates/ajp/tests/corpus/ajp.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::ajp(input));
