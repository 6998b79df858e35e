//! Samples the resource usage of processes every few seconds.

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

/// Interval of the samples.
const EVERY: Duration = Duration::from_secs(2);
/// Poll interval for the end of sampling.
const GLANCE: Duration = Duration::from_millis(100);

/// Resource usage of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ProcessUsage {
    /// Bytes of resident memory.
    pub(super) resident: u64,
    pub(super) descriptors: u64,
    pub(super) threads: u64,
}

/// One sample of a process.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) process: String,
    /// Incremented when a process of that name is restarted.
    pub(super) life: u32,
    pub(super) round: u64,
    /// Taken in the idle time.
    pub(super) quiet: bool,
    pub(super) usage: ProcessUsage,
}

/// The sampler, on a separate thread.
pub(super) struct ProcessSampler {
    inner: Arc<SamplerShared>,
    counter: JoinHandle<()>,
}

struct SamplerShared {
    began: Instant,
    ended: AtomicBool,
    state: Mutex<SamplerState>,
}

struct SamplerState {
    alive: Vec<TrackedProcess>,
    round: u64,
    quiet: bool,
    samples: Vec<Sample>,
    csv: File,
}

struct TrackedProcess {
    process: String,
    life: u32,
    pid: u32,
}

impl ProcessSampler {
    /// Starts sampling; each sample becomes a line of this file.
    pub(super) fn start(csv: &Path) -> Result<Self> {
        let mut file = File::create(csv).with_context(|| csv.display().to_string())?;
        writeln!(file, "seconds,round,quiet,process,life,resident_bytes,descriptors,threads")
            .with_context(|| csv.display().to_string())?;
        let state =
            SamplerState { alive: Vec::new(), round: 0, quiet: false, samples: Vec::new(), csv: file };
        let inner = Arc::new(SamplerShared {
            began: Instant::now(),
            ended: AtomicBool::new(false),
            state: Mutex::new(state),
        });
        let counter = std::thread::spawn({
            let inner = inner.clone();
            move || inner.count_on()
        });
        Ok(Self { inner, counter })
    }

    /// A round begins.
    pub(super) fn begin(&self, round: u64) {
        let mut state = self.inner.state();
        (state.round, state.quiet) = (round, false);
    }

    pub(super) fn round(&self) -> u64 {
        self.inner.state().round
    }

    /// Sets the running processes; a new id means a restarted process.
    pub(super) fn follow(&self, running: Vec<(String, u32)>) {
        self.inner.state().follow(running);
    }

    /// Sleeps for the idle time; samples of its second half count as quiet.
    pub(super) fn quiet(&self, time: Duration) {
        sleep(time / 2);
        self.inner.state().quiet = true;
        sleep(time / 2);
        self.inner.count();
        self.inner.state().quiet = false;
    }

    /// Current resource usage as text.
    pub(super) fn now(&self) -> String {
        let state = self.inner.state();
        let mut words = "MiB".to_owned();
        for TrackedProcess { process, pid, .. } in &state.alive {
            let mib =
                usage(*pid).map_or_else(|| "gone".to_owned(), |usage| (usage.resident >> 20).to_string());
            let _ = write!(words, " {process} {mib}");
        }
        words
    }

    /// Stops sampling; returns all samples.
    pub(super) fn end(self) -> Result<Vec<Sample>> {
        self.inner.ended.store(true, Relaxed);
        self.counter.join().map_err(|_| anyhow!("the counter panicked"))?;
        Ok(std::mem::take(&mut self.inner.state().samples))
    }
}

impl SamplerShared {
    fn state(&self) -> MutexGuard<'_, SamplerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.state().count(self.began.elapsed());
    }
}

impl SamplerState {
    fn follow(&mut self, running: Vec<(String, u32)>) {
        let life = |process: &str, pid| match self.alive.iter().find(|alive| alive.process == process) {
            Some(before) => before.life + u32::from(before.pid != pid),
            None => 1,
        };
        let alive = running.into_iter().map(|(process, pid)| TrackedProcess {
            life: life(&process, pid),
            process,
            pid,
        });
        self.alive = alive.collect();
    }

    fn count(&mut self, at: Duration) {
        for TrackedProcess { process, life, pid } in &self.alive {
            // A killed process has no usage until its restart.
            let Some(usage) = usage(*pid) else { continue };
            let ProcessUsage { resident, descriptors, threads } = usage;
            let (round, quiet, process) = (self.round, self.quiet, process.clone());
            // The file is for people; the judgement uses the samples in memory.
            let _ = writeln!(
                self.csv,
                "{:.1},{round},{},{process},{life},{resident},{descriptors},{threads}",
                at.as_secs_f64(),
                u8::from(quiet)
            );
            self.samples.push(Sample { process, life: *life, round, quiet, usage });
        }
    }
}

/// Resource usage of a process, if it runs.
fn usage(pid: u32) -> Option<ProcessUsage> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    };
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    Some(ProcessUsage { resident: field("VmRSS:")? * 1024, descriptors, threads: field("Threads:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_sampled_and_a_new_id_is_a_new_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let sampler = ProcessSampler::start(&folder.path().join("soak.csv")).expect("a file");
        let me = std::process::id();
        sampler.begin(3);
        sampler.follow(vec![("tc01".to_owned(), me)]);
        sampler.inner.count();
        let held: Vec<_> = (0..20).map(|_| File::open("/dev/null").expect("a descriptor")).collect();
        sampler.inner.count();
        // No process has this id, so it is not sampled.
        sampler.follow(vec![("tc01".to_owned(), u32::MAX)]);
        sampler.inner.count();
        sampler.follow(vec![("tc01".to_owned(), me)]);
        sampler.inner.count();
        drop(held);
        let samples = sampler.end().expect("it counts");
        let lives: Vec<_> = samples.iter().map(|sample| sample.life).collect();
        assert_eq!(lives, [1, 1, 3]);
        assert!(samples[1].usage.descriptors >= samples[0].usage.descriptors + 20, "{samples:?}");
        assert!(samples.iter().all(|sample| sample.round == 3 && sample.usage.resident > 1 << 20));
        let lines = fs::read_to_string(folder.path().join("soak.csv")).expect("a file");
        assert_eq!(lines.lines().count(), 4, "{lines}");
    }
}
