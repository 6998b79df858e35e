//! Resource usage of processes: processor time, memory, core affinity, and the share of other programs.
//! Available on Linux; elsewhere the values are unknown.

use std::fs::read_to_string;
use std::time::Duration;

/// Tick length of the system's processor time counters.
const TICK: Duration = Duration::from_millis(10);
/// Largest share of the machine for other programs before a measurement counts as doubtful.
pub(super) const MAX_FOREIGN: f64 = 0.05;

/// Processor time of some processes and of the machine since a start.
#[derive(Debug)]
pub(super) struct Watch {
    processes: Vec<u32>,
    machine: Option<MachineTime>,
    ours: Option<Duration>,
    watched: Option<Duration>,
}

/// The usage since the start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// Processor time of the watched processes together.
    pub(super) cpu: Option<Duration>,
    /// Share of the machine used by neither these processes nor this one.
    pub(super) foreign: Option<f64>,
}

/// Time of all cores since boot of the machine.
#[derive(Debug, Clone, Copy)]
struct MachineTime {
    /// Time in programs, or stolen by the host of a virtual machine; interrupts are excluded.
    busy: Duration,
    all: Duration,
}

impl Watch {
    /// Starts to watch these processes and this one.
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

/// Processor time of a process's current threads.
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

/// Resident memory of a process, in bytes.
pub(super) fn resident(process: u32) -> Option<u64> {
    let status = read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Restricts all threads of these processes to `core`, or lifts the restriction; whether it worked.
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

/// Pinning needs Linux.
#[cfg(not(target_os = "linux"))]
pub(super) fn pin(_: &[u32], _: Option<usize>) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_time_parses_proc_stat() {
        let time = machine_time_of("cpu  100 1 50 1000 20 3 4 9 0 0\ncpu0 1 2 3\n").unwrap();
        assert_eq!(time.busy, TICK * 160);
        assert_eq!(time.all, TICK * 1187);
        assert!(machine_time_of("cpu  1 2").is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn usage_includes_this_process() {
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
