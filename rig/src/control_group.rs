//! A kernel limit for one process: a share of a processor, or an amount of memory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Mount point of control groups.
const ROOT: &str = "/sys/fs/cgroup";

/// A process in a separate control group. Dropping this removes the limit.
pub(crate) struct ControlGroup {
    group: PathBuf,
    process: u32,
}

/// Files of the two cgroup versions that set the limit.
struct GroupFiles {
    controller: &'static str,
    first: &'static str,
    second: &'static str,
}

impl ControlGroup {
    /// Limits the process to `percent` of one processor.
    pub(crate) fn processor(process: u32, percent: u32) -> Result<Self> {
        let files = GroupFiles { controller: "cpu", first: "cpu.cfs_quota_us", second: "cpu.max" };
        let quota = percent * 1_000;
        Self::of(process, &files, &quota.to_string(), &format!("{quota} 100000"))
    }

    /// Limits the process to `more` bytes beyond its current memory; the kernel kills it when it allocates
    /// more.
    pub(crate) fn memory(process: u32, more: u64) -> Result<Self> {
        let files = GroupFiles { controller: "memory", first: "memory.limit_in_bytes", second: "memory.max" };
        Self::of(process, &files, &more.to_string(), &more.to_string())
    }

    fn of(process: u32, files: &GroupFiles, first: &str, second: &str) -> Result<Self> {
        let root = Path::new(ROOT);
        let (group, file, bound) = match root.join(files.controller) {
            one if one.is_dir() => (one, files.first, first),
            _ => (root.to_owned(), files.second, second),
        };
        // Processes of several rigs may have equal ids in different namespaces.
        let group = group.join(format!("sessile-rig-{}-{process}", unique()?));
        fs::create_dir_all(&group).with_context(|| format!("{}: no control group", group.display()))?;
        let made = Self { group, process };
        fs::write(made.group.join(file), bound).with_context(|| format!("a bound in {file}"))?;
        fs::write(made.group.join("cgroup.procs"), process.to_string()).context("a control group")?;
        Ok(made)
    }

    /// Number of periods in which the process was throttled.
    pub(crate) fn throttled(&self) -> Result<u64> {
        let stat = fs::read_to_string(self.group.join("cpu.stat")).context("a control group")?;
        let count = stat.lines().find_map(|line| line.strip_prefix("nr_throttled "));
        count.and_then(|count| count.parse().ok()).context("a control group without nr_throttled")
    }
}

/// Identifier of this program's PID namespace.
fn unique() -> Result<String> {
    let link = fs::read_link("/proc/self/ns/pid").context("/proc/self/ns/pid")?;
    Ok(link.to_string_lossy().chars().filter(char::is_ascii_digit).collect())
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        if let Some(parent) = self.group.parent() {
            let _ = fs::write(parent.join("cgroup.procs"), self.process.to_string());
        }
        let _ = fs::remove_dir(&self.group);
    }
}
