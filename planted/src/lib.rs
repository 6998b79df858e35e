//! What is planted to try the checkers: the core's deliberate bugs by their names, and a next version of the protocol.
//!
//! The simulator plants them into nodes of virtual time, the test hosts into real processes. Nothing that is published
//! depends on this crate. Next: [`bugs`], [`next`].

pub mod bugs;
pub mod next;
