//! A process's monotonic clock: it begins anywhere, may be too fast or too slow, and may be stopped with its
//! machine.

use std::time::Duration;

use sessile_core::Instant;

/// The clock of one process.
pub(crate) struct Clock {
    /// What it shows beyond the simulation's clock.
    pub(crate) offset: Duration,
    /// How much too fast it is, in millionths.
    pub(crate) rate: i64,
    stopped_for: Duration,
    stopped_at: Option<Instant>,
}

impl Clock {
    /// A clock that runs.
    pub(crate) fn new(offset: Duration, rate: i64) -> Self {
        Self { offset, rate, stopped_for: Duration::ZERO, stopped_at: None }
    }

    /// What it shows.
    pub(crate) fn at(&self, now: Instant) -> Instant {
        let ran = self.stopped_at.unwrap_or(now).since(Instant::ORIGIN).saturating_sub(self.stopped_for);
        let micros = ran.as_micros() as i64;
        let shown = micros + micros * self.rate / 1_000_000;
        Instant::ORIGIN.plus(self.offset + Duration::from_micros(shown as u64))
    }

    /// It stands still from now on.
    pub(crate) fn stop(&mut self, now: Instant) {
        self.stopped_at = self.stopped_at.or(Some(now));
    }

    /// It goes on where it stopped, if it did.
    pub(crate) fn resume(&mut self, now: Instant) {
        if let Some(stopped_at) = self.stopped_at.take() {
            self.stopped_for += now.since(stopped_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_drifts_and_stands_still() {
        let at = |seconds| Instant::ORIGIN.plus(Duration::from_secs(seconds));
        let mut clock = Clock::new(Duration::from_secs(5), 500);
        assert_eq!(clock.at(at(100)), at(105).plus(Duration::from_millis(50)));
        clock.stop(at(100));
        assert_eq!(clock.at(at(130)), at(105).plus(Duration::from_millis(50)));
        clock.resume(at(130));
        assert_eq!(clock.at(at(230)), at(205).plus(Duration::from_millis(100)));
    }
}
