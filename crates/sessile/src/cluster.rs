//! The driver: the only place that reads the clock, spawns tasks and executes what the core decided.

mod clock;
mod executor;
pub(crate) mod host;
mod waiters;
