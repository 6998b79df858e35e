//! What processes hold, counted every few seconds as long as they live.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

/// Between two counts.
const EVERY: Duration = Duration::from_secs(2);
/// How often the counter looks whether it is to end.
const GLANCE: Duration = Duration::from_millis(100);

/// What one process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Holds {
    /// Bytes of resident memory.
    pub(super) resident: u64,
    pub(super) descriptors: u64,
    pub(super) threads: u64,
}

/// What a process held once.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) process: String,
    /// Grows when a process of that name is started again.
    pub(super) life: u32,
    pub(super) round: u64,
    /// Nothing had happened for a while.
    pub(super) quiet: bool,
    pub(super) holds: Holds,
}

/// The counter, on a thread of its own.
pub(super) struct Census {
    inner: Arc<Inner>,
    counter: JoinHandle<()>,
}

struct Inner {
    began: Instant,
    ended: AtomicBool,
    book: Mutex<Book>,
}

struct Book {
    alive: Vec<Alive>,
    round: u64,
    quiet: bool,
    samples: Vec<Sample>,
    csv: File,
}

struct Alive {
    process: String,
    life: u32,
    pid: u32,
}

impl Census {
    /// Counts from now on; each sample is a line of this file.
    pub(super) fn start(csv: &Path) -> Result<Self> {
        let mut file = File::create(csv).with_context(|| csv.display().to_string())?;
        writeln!(file, "seconds,round,quiet,process,life,resident_bytes,descriptors,threads")
            .with_context(|| csv.display().to_string())?;
        let book = Book { alive: Vec::new(), round: 0, quiet: false, samples: Vec::new(), csv: file };
        let inner =
            Arc::new(Inner { began: Instant::now(), ended: AtomicBool::new(false), book: Mutex::new(book) });
        let counter = std::thread::spawn({
            let inner = inner.clone();
            move || inner.count_on()
        });
        Ok(Self { inner, counter })
    }

    /// A round begins.
    pub(super) fn begin(&self, round: u64) {
        let mut book = self.inner.book();
        (book.round, book.quiet) = (round, false);
    }

    pub(super) fn round(&self) -> u64 {
        self.inner.book().round
    }

    /// These run now; one with another id than before is another life.
    pub(super) fn follow(&self, running: Vec<(String, u32)>) {
        self.inner.book().follow(running);
    }

    /// Nothing happens for so long. What is counted in the second half of it is quiet.
    pub(super) fn quiet(&self, time: Duration) {
        sleep(time / 2);
        self.inner.book().quiet = true;
        sleep(time / 2);
        self.inner.count();
        self.inner.book().quiet = false;
    }

    /// What all hold just now, in words.
    pub(super) fn now(&self) -> String {
        let book = self.inner.book();
        let mut words = "MiB".to_owned();
        for Alive { process, pid, .. } in &book.alive {
            let mib =
                holds(*pid).map_or_else(|| "gone".to_owned(), |holds| (holds.resident >> 20).to_string());
            let _ = write!(words, " {process} {mib}");
        }
        words
    }

    /// The counting ends; all that was counted.
    pub(super) fn end(self) -> Result<Vec<Sample>> {
        self.inner.ended.store(true, Relaxed);
        self.counter.join().map_err(|_| anyhow!("the counter panicked"))?;
        Ok(std::mem::take(&mut self.inner.book().samples))
    }
}

impl Inner {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_on(&self) {
        let mut last = Instant::now();
        while !self.ended.load(Relaxed) {
            sleep(GLANCE);
            if last.elapsed() >= EVERY {
                last = Instant::now();
                self.count();
            }
        }
    }

    fn count(&self) {
        self.book().count(self.began.elapsed());
    }
}

impl Book {
    fn follow(&mut self, running: Vec<(String, u32)>) {
        let life = |process: &str, pid| match self.alive.iter().find(|alive| alive.process == process) {
            Some(before) => before.life + u32::from(before.pid != pid),
            None => 1,
        };
        let alive =
            running.into_iter().map(|(process, pid)| Alive { life: life(&process, pid), process, pid });
        self.alive = alive.collect();
    }

    fn count(&mut self, at: Duration) {
        for Alive { process, life, pid } in &self.alive {
            // One that was killed has nothing until it is followed again.
            let Some(holds) = holds(*pid) else { continue };
            let Holds { resident, descriptors, threads } = holds;
            let (round, quiet, process) = (self.round, self.quiet, process.clone());
            // The samples are judged from memory; the file is for people.
            let _ = writeln!(
                self.csv,
                "{:.1},{round},{},{process},{life},{resident},{descriptors},{threads}",
                at.as_secs_f64(),
                u8::from(quiet)
            );
            self.samples.push(Sample { process, life: *life, round, quiet, holds });
        }
    }
}

/// What a process holds, if it lives.
fn holds(pid: u32) -> Option<Holds> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    };
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    Some(Holds { resident: field("VmRSS:")? * 1024, descriptors, threads: field("Threads:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_counted_and_one_with_another_id_is_another_life() {
        let folder = tempfile::tempdir().expect("a folder");
        let census = Census::start(&folder.path().join("soak.csv")).expect("a file");
        let me = std::process::id();
        census.begin(3);
        census.follow(vec![("tc01".to_owned(), me)]);
        census.inner.count();
        let held: Vec<_> = (0..20).map(|_| File::open("/dev/null").expect("a descriptor")).collect();
        census.inner.count();
        // Nobody has this id; what is not there is not counted.
        census.follow(vec![("tc01".to_owned(), u32::MAX)]);
        census.inner.count();
        census.follow(vec![("tc01".to_owned(), me)]);
        census.inner.count();
        drop(held);
        let samples = census.end().expect("it counts");
        let lives: Vec<_> = samples.iter().map(|sample| sample.life).collect();
        assert_eq!(lives, [1, 1, 3]);
        assert!(samples[1].holds.descriptors >= samples[0].holds.descriptors + 20, "{samples:?}");
        assert!(samples.iter().all(|sample| sample.round == 3 && sample.holds.resident > 1 << 20));
        let lines = fs::read_to_string(folder.path().join("soak.csv")).expect("a file");
        assert_eq!(lines.lines().count(), 4, "{lines}");
    }
}
