//! Trying one mutant: first the core's tests, then seeds, each until something notices.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::compile::Programs;

/// A test or a run of seeds that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(240);

/// A test that takes longer is left out: it waits for threads, and says nothing about small changes.
const SLOW: Duration = Duration::from_secs(8);

/// Kibibytes of address space after which a mutant that eats memory is stopped.
const MEMORY_KIB: u64 = 3 << 20;

/// Who noticed a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A test of the core failed.
    Test(String),
    /// A seed broke a promise, or a situation that must occur did not.
    Seed(String),
    /// Nothing hangs on it.
    Survived,
}

impl Verdict {
    /// As the record of verdicts has it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Test(by) => format!("test\t{by}"),
            Self::Seed(by) => format!("seed\t{by}"),
            Self::Survived => "survived\t".into(),
        }
    }
}

/// How a mutant is tried.
pub(crate) struct Trial {
    pub(crate) programs: Programs,
    pub(crate) seeds: u64,
    pub(crate) jobs: usize,
    /// Leave the tests out: only seeds count.
    pub(crate) seeds_only: bool,
}

impl Trial {
    /// Orders the tests by the time that each takes with the unchanged core, so that the quick ones speak
    /// first.
    ///
    /// # Errors
    /// A test fails, or seeds do: then nothing can be said of changes.
    pub(crate) fn prepare(&mut self) -> Result<()> {
        let mut timed = Vec::new();
        for test in std::mem::take(&mut self.programs.tests) {
            let began = Instant::now();
            if let Some(report) = failure(&test, &["--quiet"], 0)? {
                bail!("the unchanged core fails {}: {report}", test.display());
            }
            timed.push((began.elapsed(), test));
        }
        timed.sort_unstable();
        self.programs.tests =
            timed.into_iter().filter(|(time, _)| *time < SLOW).map(|(_, test)| test).collect();
        match self.run(0)? {
            Verdict::Survived => Ok(()),
            verdict => bail!("the unchanged core is caught by {verdict:?}"),
        }
    }

    /// Tries the mutant of this number; 0 is the unchanged core.
    pub(crate) fn run(&self, number: u32) -> Result<Verdict> {
        for test in self.programs.tests.iter().filter(|_| !self.seeds_only) {
            let jobs = format!("--test-threads={}", self.jobs);
            if let Some(report) = failure(test, &["--quiet", &jobs], number)? {
                return Ok(Verdict::Test(first(&report, &["---- ", "test "], test)));
            }
        }
        let (seeds, jobs) = (self.seeds.to_string(), self.jobs.to_string());
        let arguments = ["--seeds", &seeds, "--jobs", &jobs, "--first"];
        match failure(&self.programs.simulator, &arguments, number)? {
            Some(report) => {
                Ok(Verdict::Seed(first(&report, &["seed ", "there were"], &self.programs.simulator)))
            }
            None => Ok(Verdict::Survived),
        }
    }
}

/// What a program printed if it failed, crashed or hangs.
fn failure(program: &Path, arguments: &[&str], number: u32) -> Result<Option<String>> {
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -v \"$0\"; exec \"$@\"", &MEMORY_KIB.to_string()])
        .arg(program)
        .args(arguments)
        .env("SESSILE_MUTANT", number.to_string())
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let mut out = child.stdout.take().context("the output is piped")?;
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = out.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let began = Instant::now();
    let failed = loop {
        match child.try_wait()? {
            Some(status) => break !status.success(),
            None if began.elapsed() > PATIENCE => {
                child.kill()?;
                child.wait()?;
                break true;
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let report = reader.join().unwrap_or_default();
    let hangs = if began.elapsed() > PATIENCE { "hangs" } else { "" };
    Ok(failed.then(|| if report.is_empty() { hangs.to_owned() } else { report }))
}

/// The first line that says what failed.
fn first(report: &str, beginnings: &[&str], program: &Path) -> String {
    let says = |line: &&str| beginnings.iter().any(|beginning| line.starts_with(beginning));
    let name = program.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    report.lines().find(says).map_or(format!("{name} crashed or hangs"), |line| line.trim().to_owned())
}
