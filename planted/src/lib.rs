//! Plants that test the checkers: the core's deliberate bugs by name, and a next version of the protocol.
//!
//! The simulator plants them into simulated nodes, the test hosts into real processes. No published crate
//! depends on this one. Next: [`bugs`], [`next`].

pub mod bugs;
pub mod next;
