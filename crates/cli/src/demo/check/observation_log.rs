//! The observations of all clients in one order, judged immediately and kept in a file.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs::File, io};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::observation::{Observation, ObservationKind};
use super::verdict::CheckVerdict;

/// The name of the file.
pub(super) const FILE: &str = "observations.jsonl";

/// The log. Clones share one state.
#[derive(Clone)]
pub(super) struct ObservationLog {
    inner: Arc<Mutex<LogState>>,
    progress: watch::Sender<Progress>,
}

/// Progress of a round.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// Writes acknowledged in this round.
    pub(super) acknowledged: u64,
    /// From the kill to the first answer to a write of a session that the killed node had served.
    pub(super) first_good: Option<Duration>,
    /// An observation contradicts another one: the check has failed.
    pub(super) contradicted: bool,
}

struct LogState {
    began: Instant,
    file: BufWriter<File>,
    verdict: CheckVerdict,
    killed: Option<(String, Instant)>,
}

impl ObservationLog {
    /// Creates a log with its file in `place`.
    pub(super) fn new(place: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(place.join(FILE))?);
        let inner = LogState { began: Instant::now(), file, verdict: CheckVerdict::default(), killed: None };
        Ok(Self { inner: Arc::new(Mutex::new(inner)), progress: watch::Sender::new(Progress::default()) })
    }

    /// Resets the progress for a new round.
    pub(super) fn begin_round(&self) {
        self.inner.lock().killed = None;
        self.progress.send_replace(Progress::default());
    }

    /// Records an observation.
    pub(super) fn note(&self, seen: ObservationKind) -> io::Result<()> {
        let mut inner = self.inner.lock();
        let now = Instant::now();
        inner.verdict.note(&seen);
        let first_good = inner.is_first_good(&seen).then(|| inner.since_kill(now)).flatten();
        let contradicted = !inner.verdict.findings.is_empty();
        self.progress.send_modify(|progress| {
            progress.acknowledged += u64::from(matches!(seen, ObservationKind::Acknowledged { .. }));
            progress.first_good = progress.first_good.or(first_good);
            progress.contradicted = contradicted;
        });
        if let ObservationKind::Killed { node } = &seen {
            inner.killed = Some((node.clone(), now));
        }
        let at_us = u64::try_from((now - inner.began).as_micros()).unwrap_or(u64::MAX);
        serde_json::to_writer(&mut inner.file, &Observation { at_us, seen })?;
        inner.file.write_all(b"\n")
    }

    /// Follows the round.
    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Reads the verdict on all observations so far.
    pub(super) fn look<T>(&self, at: impl FnOnce(&CheckVerdict) -> T) -> T {
        at(&self.inner.lock().verdict)
    }

    /// Flushes the file.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.inner.lock().file.flush()
    }
}

impl LogState {
    fn is_first_good(&self, seen: &ObservationKind) -> bool {
        let (Some((dead, _)), ObservationKind::Acknowledged { node, route: Some(route), .. }) =
            (&self.killed, seen)
        else {
            return false;
        };
        route == dead && node != dead
    }

    fn since_kill(&self, now: Instant) -> Option<Duration> {
        self.killed.as_ref().map(|(_, killed)| now - *killed)
    }
}
