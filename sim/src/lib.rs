//! The simulator: the replication core under seeded faults in virtual time.
//!
//! One seed is one run: 3 to 5 nodes, five clients, a network with its weather, at least three faults, a
//! time to heal, and checkers that judge by the history alone. Nothing asks a clock, a thread or a hash
//! map's order, so a seed always gives the same trace. Start at [`run`], go on with `world` and [`check`].

pub mod check;
mod event;
pub mod history;
mod network;
mod plan;
pub mod plants;
mod process;
mod queue;
mod rng;
pub mod run;
mod swap;
pub mod tally;
mod trace;
mod world;
