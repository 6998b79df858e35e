//! The body is `crates/balancer/tests/corpus/header_rules.rs`, which the tests of that crate replay.
#![no_main]

#[path = "../../crates/balancer/tests/corpus/header_rules.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::header_rules(input));
