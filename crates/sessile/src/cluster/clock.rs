//! The one clock of the driver: everything the core is told about time comes from here.

use std::time;

use sessile_core::Instant;

/// Counts from the moment the driver started; nobody else asks the system for the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: time::Instant,
}

impl Clock {
    /// A clock whose origin is now.
    pub(crate) fn start() -> Self {
        Self { origin: time::Instant::now() }
    }

    /// How the core sees the present moment.
    pub(crate) fn now(&self) -> Instant {
        Instant::after_origin(self.origin.elapsed())
    }
}
