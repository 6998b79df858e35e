//! When a measurement ends: its time is over, or the user pressed Ctrl-C and wants what was measured so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::stop::StopWish;

/// Hears the user's wish. Clones hear the same.
#[derive(Debug, Clone)]
pub(super) struct Halt(Arc<AtomicBool>);

impl Halt {
    /// Listens from now on: the first Ctrl-C ends what is being measured, the second one the program.
    pub(super) fn listen() -> Result<Self, Failure> {
        let stop = StopWish::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
        let halt = Self(Arc::default());
        let flag = Arc::clone(&halt.0);
        tokio::spawn(async move {
            stop.asked().await;
            flag.store(true, Relaxed);
            crate::output::tell("stopping; what was measured so far follows");
            stop.insisted().await;
            // Nodes end with the pipe that they hold to this process.
            std::process::exit(1);
        });
        Ok(halt)
    }

    pub(super) fn asked(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// The end of a stretch that begins now and takes `time`.
    pub(super) fn after(&self, time: Duration) -> Stretch {
        Stretch { end: Instant::now() + time, ended: Arc::default(), halt: self.clone() }
    }
}

/// A stretch of time that is being measured.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    pub(super) end: Instant,
    ended: Arc<AtomicBool>,
    halt: Halt,
}

impl Stretch {
    pub(super) fn is_over(&self) -> bool {
        self.halt.asked() || self.ended.load(Relaxed) || Instant::now() >= self.end
    }

    /// Ends it before its time, for all clones.
    pub(super) fn end_now(&self) {
        self.ended.store(true, Relaxed);
    }
}
