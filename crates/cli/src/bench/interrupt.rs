//! When a measurement ends: its time is over, or the user pressed Ctrl-C and wants what was measured so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::stop::StopRequest;

/// Hears the user's wish. Clones hear the same.
#[derive(Debug, Clone)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on: the first Ctrl-C ends what is being measured, the second one the program.
    pub(super) fn listen() -> Result<Self, Failure> {
        let stop = StopRequest::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
        let interrupt = Self(Arc::default());
        let flag = Arc::clone(&interrupt.0);
        tokio::spawn(async move {
            stop.requested().await;
            flag.store(true, Relaxed);
            crate::output::tell("stopping; what was measured so far follows");
            stop.forced().await;
            // Nodes end with the pipe that they hold to this process.
            std::process::exit(1);
        });
        Ok(interrupt)
    }

    pub(super) fn is_requested(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// The end of an interval that begins now and takes `time`.
    pub(super) fn after(&self, time: Duration) -> Interval {
        Interval { end: Instant::now() + time, ended: Arc::default(), interrupt: self.clone() }
    }
}

/// An interval of time that is being measured.
#[derive(Debug, Clone)]
pub(super) struct Interval {
    pub(super) end: Instant,
    ended: Arc<AtomicBool>,
    interrupt: Interrupt,
}

impl Interval {
    pub(super) fn is_over(&self) -> bool {
        self.interrupt.is_requested() || self.ended.load(Relaxed) || Instant::now() >= self.end
    }

    /// Ends it before its time, for all clones.
    pub(super) fn end_now(&self) {
        self.ended.store(true, Relaxed);
    }
}
