//! The access log: one line for each request or TCP connection, written by a thread of its own.
//!
//! Trouble with the log costs lines, never requests: a line that finds [`QUEUE_BOUND`] lines before it, or a
//! file or pipe that cannot be written, is counted as lost. After an error the file is opened again once a
//! second.
//!
//! Next: `access_log/format.rs` for what a line holds.

mod format;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

pub use format::AccessLogFormat;
pub(crate) use format::{Entry, bounded};

/// Most lines that wait to be written.
const QUEUE_BOUND: usize = 8_192;
/// Pause after an error before the file is opened again.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);
/// Longest wait for the last lines when the balancer ends.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
/// Bytes that are gathered before they are written, while lines are waiting.
const BUFFER: usize = 64 * 1024;
/// The place that stands for the standard output.
const STANDARD_OUTPUT: &str = "-";

/// Lines since the balancer began.
#[derive(Debug, Default)]
pub(crate) struct LogCounts {
    written: AtomicU64,
    lost: AtomicU64,
}

impl LogCounts {
    /// Lines that were written.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Lines that could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

/// The log. Its thread writes what is left and ends when it is dropped.
#[derive(Debug)]
pub(crate) struct AccessLog {
    format: AccessLogFormat,
    lines: SyncSender<Message>,
    counts: Arc<LogCounts>,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    /// The file may have been moved away: open it anew.
    Reopen,
    /// Write what came before, then answer.
    Flush(SyncSender<()>),
}

impl AccessLog {
    /// Opens the log at this place, `-` for the standard output.
    ///
    /// # Errors
    /// When the file cannot be opened for appending, or the system gives no thread. A named pipe is opened by
    /// the thread: that may wait for its reader.
    pub(crate) fn open(place: &Path, format: AccessLogFormat, counts: Arc<LogCounts>) -> io::Result<Self> {
        let target = if is_regular(place) { Some(buffered(Target::open(place)?)) } else { None };
        let (lines, queue) = sync_channel(QUEUE_BOUND);
        let writer = Writer { place: place.to_owned(), target, failed: None, counts: Arc::clone(&counts) };
        thread::Builder::new().name("access-log".into()).spawn(move || writer.run(&queue))?;
        Ok(Self { format, lines, counts })
    }

    /// Adds a line, or counts it as lost.
    pub(crate) fn add(&self, entry: &Entry) {
        if self.lines.try_send(Message::Line(entry.line(self.format))).is_err() {
            self.counts.lost.fetch_add(1, Relaxed);
        }
    }

    /// Has the file opened anew, where a program that rotates logs has moved it away.
    pub(crate) fn reopen(&self) {
        // A full queue is written to a file that does not take it: that is opened anew without being told.
        let _ = self.lines.try_send(Message::Reopen);
    }

    /// Waits until all lines are written, for [`FLUSH_PATIENCE`] at most.
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.lines.try_send(Message::Flush(done)).is_ok() {
            let _ = written.recv_timeout(FLUSH_PATIENCE);
        }
    }
}

/// Whether opening a file at this place waits for nobody.
fn is_regular(place: &Path) -> bool {
    std::fs::metadata(place).map_or(true, |known| known.is_file())
}

/// Where lines go.
enum Target {
    Standard(io::Stdout),
    File(File),
}

impl Target {
    fn open(place: &Path) -> io::Result<Self> {
        if place == Path::new(STANDARD_OUTPUT) {
            return Ok(Self::Standard(io::stdout()));
        }
        OpenOptions::new().create(true).append(true).open(place).map(Self::File)
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::File(file) => file.flush(),
        }
    }
}

fn buffered(target: Target) -> BufWriter<Target> {
    BufWriter::with_capacity(BUFFER, target)
}

/// The thread's side.
struct Writer {
    place: PathBuf,
    target: Option<BufWriter<Target>>,
    /// When the file could not be written.
    failed: Option<Instant>,
    counts: Arc<LogCounts>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Message>) {
        while let Ok(first) = queue.recv() {
            // Lines in the buffer that are not known to be in the file.
            let mut doubtful = 0;
            self.take(first, &mut doubtful);
            while let Ok(message) = queue.try_recv() {
                self.take(message, &mut doubtful);
            }
            self.write_out(&mut doubtful);
        }
    }

    fn take(&mut self, message: Message, doubtful: &mut u64) {
        match message {
            Message::Line(line) => {
                *doubtful += 1;
                let written = self.target().map(|target| target.write_all(&line));
                match written {
                    Some(Ok(())) => {}
                    Some(Err(cause)) => self.fail(&cause, doubtful),
                    None => {
                        self.counts.lost.fetch_add(std::mem::take(doubtful), Relaxed);
                    }
                }
            }
            Message::Reopen => {
                self.write_out(doubtful);
                (self.target, self.failed) = (None, None);
            }
            Message::Flush(done) => {
                self.write_out(doubtful);
                let _ = done.try_send(());
            }
        }
    }

    fn write_out(&mut self, doubtful: &mut u64) {
        match self.target.as_mut().map(Write::flush) {
            Some(Ok(())) => {
                self.counts.written.fetch_add(std::mem::take(doubtful), Relaxed);
            }
            Some(Err(cause)) => self.fail(&cause, doubtful),
            None => {}
        }
    }

    /// The file, opened when there is none and the last error is old enough.
    fn target(&mut self) -> Option<&mut BufWriter<Target>> {
        if self.target.is_none() && self.failed.is_none_or(|at| at.elapsed() >= REOPEN_PAUSE) {
            match Target::open(&self.place) {
                Ok(target) => {
                    self.target = Some(buffered(target));
                    self.failed = None;
                }
                Err(cause) => self.fail(&cause, &mut 0),
            }
        }
        self.target.as_mut()
    }

    /// Gives the file up for now, with the lines that may not be in it.
    fn fail(&mut self, cause: &io::Error, doubtful: &mut u64) {
        if self.failed.is_none() {
            let file = self.place.display();
            tracing::warn!(%file, %cause, "the access log cannot be written; lines are lost and counted until it can");
        }
        self.failed = Some(Instant::now());
        self.counts.lost.fetch_add(std::mem::take(doubtful), Relaxed);
        if let Some(target) = self.target.take() {
            // The lines in its buffer were counted as lost. Dropping the writer would write them once more.
            drop(target.into_parts());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry::new([127, 0, 0, 1].into(), "GET", "/x", "HTTP/1.1")
    }

    /// Until all lines have been counted.
    fn until_counted(counts: &LogCounts, all: u64) {
        let began = Instant::now();
        while counts.written() + counts.lost() < all {
            assert!(began.elapsed() < Duration::from_secs(20), "{counts:?}");
            thread::yield_now();
        }
    }

    #[test]
    fn lines_are_in_the_file_and_follow_it_when_it_is_moved_away() {
        let place = tempfile::tempdir().unwrap();
        let (file, moved) = (place.path().join("access.log"), place.path().join("access.log.1"));
        let counts = Arc::new(LogCounts::default());
        let log = AccessLog::open(&file, AccessLogFormat::Common, Arc::clone(&counts)).unwrap();
        log.add(&entry());
        log.flush();
        std::fs::rename(&file, &moved).unwrap();
        log.reopen();
        log.add(&entry());
        log.add(&entry());
        log.flush();
        let lines = |file| std::fs::read_to_string(file).unwrap().lines().count();
        assert_eq!((lines(&moved), lines(&file)), (1, 2));
        assert_eq!((counts.written(), counts.lost()), (3, 0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_costs_lines_only() {
        let counts = Arc::new(LogCounts::default());
        let log =
            AccessLog::open(Path::new("/dev/full"), AccessLogFormat::Json, Arc::clone(&counts)).unwrap();
        (0..100).for_each(|_| log.add(&entry()));
        until_counted(&counts, 100);
        assert_eq!((counts.written(), counts.lost()), (0, 100));
    }

    #[test]
    fn a_place_that_does_not_exist_is_an_error_at_once() {
        let nowhere = Path::new("/nowhere/access.log");
        assert!(AccessLog::open(nowhere, AccessLogFormat::Common, Arc::default()).is_err());
    }
}
