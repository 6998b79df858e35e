//! What the system knows of processes: their processor time and memory, where they may run, and how much of the
//! machine belongs to others meanwhile. Linux tells; elsewhere the answer is that it is not known.

use std::fs::read_to_string;
use std::time::Duration;

/// Length of the ticks in which the system counts the time of the whole machine.
const TICK: Duration = Duration::from_millis(10);
/// The share of the machine that other programs may take before a measurement is doubtful.
pub(super) const MAX_FOREIGN: f64 = 0.05;

/// Processor time of some processes and of the machine, from a moment on.
#[derive(Debug)]
pub(super) struct Watch {
    processes: Vec<u32>,
    machine: Option<MachineTime>,
    ours: Option<Duration>,
    watched: Option<Duration>,
}

/// What was used while watching.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// Processor time of the watched processes together.
    pub(super) cpu: Option<Duration>,
    /// The share of the whole machine that neither they nor this process took.
    pub(super) foreign: Option<f64>,
}

/// Time of all cores since the start of the machine.
#[derive(Debug, Clone, Copy)]
struct MachineTime {
    /// In programs, and taken by the host of a virtual machine; interrupts belong to nobody.
    busy: Duration,
    all: Duration,
}

impl Watch {
    /// Watches these processes beside this one.
    pub(super) fn start(processes: Vec<u32>) -> Self {
        let (machine, ours, watched) =
            (machine_time(), cpu_time(std::process::id()), sum_of_cpu_time(&processes));
        Self { processes, machine, ours, watched }
    }

    pub(super) fn stop(self) -> Usage {
        let cpu = minus(sum_of_cpu_time(&self.processes), self.watched);
        let ours = minus(cpu_time(std::process::id()), self.ours);
        let foreign =
            self.machine.zip(machine_time()).zip(cpu.zip(ours)).and_then(|((before, after), (cpu, ours))| {
                let busy = after.busy.saturating_sub(before.busy).saturating_sub(cpu + ours);
                let all = after.all.saturating_sub(before.all);
                (!all.is_zero()).then(|| busy.as_secs_f64() / all.as_secs_f64())
            });
        Usage { cpu, foreign }
    }
}

fn minus(after: Option<Duration>, before: Option<Duration>) -> Option<Duration> {
    Some(after?.saturating_sub(before?))
}

fn sum_of_cpu_time(processes: &[u32]) -> Option<Duration> {
    processes.iter().map(|process| cpu_time(*process)).sum()
}

/// Processor time of the threads that a process has now.
fn cpu_time(process: u32) -> Option<Duration> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let of_thread = |file: String| -> Option<u64> { file.split(' ').next()?.parse().ok() };
    let times = threads.filter_map(|thread| read_to_string(thread.ok()?.path().join("schedstat")).ok());
    times.map(of_thread).sum::<Option<u64>>().map(Duration::from_nanos)
}

fn machine_time() -> Option<MachineTime> {
    machine_time_of(&read_to_string("/proc/stat").ok()?)
}

fn machine_time_of(stat: &str) -> Option<MachineTime> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u32> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [user, nice, system, idle, io_wait, interrupt, soft_interrupt, stolen, ..] = ticks[..] else {
        return None;
    };
    let busy = user + nice + system + stolen;
    let all = busy + idle + io_wait + interrupt + soft_interrupt;
    Some(MachineTime { busy: TICK * busy, all: TICK * all })
}

/// Bytes of a process that are in memory.
pub(super) fn resident(process: u32) -> Option<u64> {
    let status = read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Lets every thread of these processes run on `core` only, or on all cores again; whether the system did.
#[cfg(target_os = "linux")]
pub(super) fn pin(processes: &[u32], core: Option<usize>) -> bool {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut cores = CpuSet::new();
    match core {
        Some(core) => cores.set(core),
        None => (0..CpuSet::MAX_CPU).for_each(|core| cores.set(core)),
    }
    let threads = processes.iter().flat_map(|process| std::fs::read_dir(format!("/proc/{process}/task")));
    let mut ids = threads.flatten().flatten().filter_map(|thread| thread.file_name().to_str()?.parse().ok());
    let mut pinned = ids.by_ref().filter_map(rustix::process::Pid::from_raw).peekable();
    pinned.peek().is_some() && pinned.all(|thread| sched_setaffinity(Some(thread), &cores).is_ok())
}

/// Elsewhere than on Linux nothing is pinned.
#[cfg(not(target_os = "linux"))]
pub(super) fn pin(_: &[u32], _: Option<usize>) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_machine_is_read() {
        let time = machine_time_of("cpu  100 1 50 1000 20 3 4 9 0 0\ncpu0 1 2 3\n").unwrap();
        assert_eq!(time.busy, TICK * 160);
        assert_eq!(time.all, TICK * 1187);
        assert!(machine_time_of("cpu  1 2").is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_seen() {
        let own = std::process::id();
        assert!(resident(own).unwrap() > 100_000);
        let watch = Watch::start(vec![own]);
        while watch.stop_is_early() {
            std::hint::black_box((0..10_000_u64).sum::<u64>());
        }
        assert!(watch.stop().cpu.unwrap() > Duration::ZERO);
        assert_eq!(resident(u32::MAX), None);
    }

    #[cfg(target_os = "linux")]
    impl Watch {
        fn stop_is_early(&self) -> bool {
            minus(sum_of_cpu_time(&self.processes), self.watched) == Some(Duration::ZERO)
        }
    }
}
