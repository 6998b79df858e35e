//! The body is `crates/sessile/tests/corpus/cookie.rs`, which the tests of that crate replay.
#![no_main]

#[path = "../../crates/sessile/tests/corpus/cookie.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::cookie(input));
