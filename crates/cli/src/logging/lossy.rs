//! A bounded queue of log lines, and the thread that writes them. A line that has no room, or that the system
//! does not take, is counted and gone.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that wait to be written. At 200 bytes a line they take about 1.6 MB.
const QUEUED_LINES_MAX: usize = 8192;

/// Lines that the system did not take.
static UNWRITTEN: AtomicU64 = AtomicU64::new(0);

/// Counts the lines for which the queue had no room.
static QUEUE: Mutex<Option<ErrorCounter>> = Mutex::new(None);

/// The running log. When it is dropped, the queue is written, for a second at most.
pub(crate) struct Log {
    _writer: WorkerGuard,
}

impl Log {
    /// A log that is written to `out`, and the queue to it.
    pub(super) fn to(out: impl Write + Send + 'static) -> (Self, NonBlocking) {
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUED_LINES_MAX);
        let (lines, writer) = builder.thread_name("sessile-log").finish(Counted(out));
        *QUEUE.lock().unwrap_or_else(PoisonError::into_inner) = Some(lines.error_counter());
        (Self { _writer: writer }, lines)
    }
}

/// Lines of the log that were lost since the start.
pub(crate) fn lines_lost() -> u64 {
    let queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
    let without_room = queue.as_ref().map_or(0, |lost| lost.dropped_lines() as u64);
    without_room + UNWRITTEN.load(Relaxed)
}

/// Writes whole lines; counts those that fail instead of telling anybody.
struct Counted<W>(W);

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if self.0.write_all(line).is_err() {
            UNWRITTEN.fetch_add(1, Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        // Standard error has no buffer, and what fails is counted above.
        let _ = self.0.flush();
        Ok(())
    }
}
