//! The driver: the only place that reads the clock, spawns tasks and executes what the core decided.

pub(crate) mod clock;
pub(crate) mod executor;
pub(crate) mod host;
mod stub;
pub(crate) mod waiters;

pub use stub::*;
