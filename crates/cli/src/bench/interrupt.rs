//! Ends a measurement: its time is over, or the user pressed Ctrl-C to get the figures so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::stop::StopRequest;

/// The user's interrupt. Clones share one state.
#[derive(Debug, Clone)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to listen: the first Ctrl-C ends the measurement, the second one the program.
    pub(super) fn listen() -> Result<Self, Failure> {
        let stop = StopRequest::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
        let interrupt = Self(Arc::default());
        let flag = Arc::clone(&interrupt.0);
        tokio::spawn(async move {
            stop.requested().await;
            flag.store(true, Relaxed);
            crate::output::tell("stopping; the figures measured so far follow");
            stop.forced().await;
            // Node processes end when their standard input pipe closes.
            std::process::exit(1);
        });
        Ok(interrupt)
    }

    pub(super) fn is_requested(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// An interval that begins now and lasts `time`.
    pub(super) fn after(&self, time: Duration) -> Interval {
        Interval { end: Instant::now() + time, ended: Arc::default(), interrupt: self.clone() }
    }
}

/// A measured interval of time.
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

    /// Ends the interval early, for all clones.
    pub(super) fn end_now(&self) {
        self.ended.store(true, Relaxed);
    }
}
