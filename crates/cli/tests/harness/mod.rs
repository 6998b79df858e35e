//! The built program as real processes: started in a directory of their own, waited for by conditions,
//! stopped or killed by their own id, and searched for secrets in everything they wrote.
//!
//! [`Setup`] is a cluster that a test starts node by node; [`Running`] is any verb in the background;
//! [`Client`] is a browser with one cookie. Must not know what a test is about.
#![allow(
    clippy::print_stdout,
    dead_code,
    unused_imports,
    reason = "every test file uses its own part of this"
)]

mod client;
mod running;
mod secrets;
mod setup;

use std::time::{Duration, Instant};

pub(crate) use client::{Answer, Client, is_refused};
pub(crate) use running::Running;
pub(crate) use secrets::Secrets;
pub(crate) use setup::{Setup, free_address, free_block, own_host};

/// Longest wait for a condition, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before a condition is looked at again.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `condition` gives something, and gives that; `what` is for the failure.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(PAUSE);
    }
}
