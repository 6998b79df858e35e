//! The body is `crates/balancer/tests/corpus/proxy_header.rs`, which the tests of that crate replay.
#![no_main]

#[path = "../../crates/balancer/tests/corpus/proxy_header.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::proxy_header(input));
