//! The simulator: the replication core under seeded faults in virtual time.
//!
//! One seed is one run: 3 to 5 nodes, five clients, a network with delays and losses, at least three faults,
//! a time to heal, and checkers that judge by the history alone. No code depends on a clock, a thread or the
//! order of a hash map, so a seed always gives the same trace. Start at [`run`], continue with `world` and
//! [`check`].

pub mod check;
mod clock;
mod event;
pub mod harder;
pub mod history;
mod network;
mod plan;
pub mod plants;
mod process;
mod queue;
mod rng;
pub mod run;
pub mod run_counters;
mod swap;
mod trace;
mod view;
mod world;
