//! Counts of a port's connections by outcome.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Numbers since the program began. A port that is set up anew goes on with those of before.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    admitted: AtomicU64,
    evicted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    rested: AtomicU64,
}

/// [`ConnectionCounts`] at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionNumbers {
    /// Connections that had room, or got it.
    pub admitted: u64,
    /// Idle connections that were closed because their place was needed.
    pub evicted: u64,
    /// Connections that were closed at once: their source has
    /// [`connections_per_source`](crate::Limits::connections_per_source), and none of them is idle.
    pub refused: u64,
    /// Admitted connections without a PROXY header or a TLS handshake that could be used, in time.
    pub failed: u64,
    /// How often an idle connection gave its buffers back.
    pub rested: u64,
}

impl ConnectionCounts {
    /// The numbers now.
    #[must_use]
    pub fn numbers(&self) -> ConnectionNumbers {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        ConnectionNumbers {
            admitted: read(&self.admitted),
            evicted: read(&self.evicted),
            refused: read(&self.refused),
            failed: read(&self.failed),
            rested: read(&self.rested),
        }
    }

    pub(crate) fn admitted(&self) {
        self.admitted.fetch_add(1, Relaxed);
    }

    pub(crate) fn evicted(&self) {
        self.evicted.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(crate) fn rested(&self) {
        self.rested.fetch_add(1, Relaxed);
    }
}
