//! The body is `crates/balancer/tests/corpus/http2.rs`, which the tests of that crate replay.
#![no_main]

#[path = "../../crates/balancer/tests/corpus/http2.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::http2(input));
