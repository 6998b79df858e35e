//! Counts the system calls of processes with `perf stat`, at negligible cost.
//!
//! Without perf, or without the permission to count, the number is unknown. Calls that only wait (epoll,
//! futex) are excluded: their number reflects idleness.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// All calls, and the calls that only wait.
const ALL: &str = "raw_syscalls:sys_enter";
const WAITING: [&str; 3] =
    ["syscalls:sys_enter_epoll_wait", "syscalls:sys_enter_epoll_pwait", "syscalls:sys_enter_futex"];
/// perf counts while its child runs: the child prints a line at its start and ends when its input ends.
const WHILE: &str = "echo; exec cat";
/// Longest wait for perf to start and to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Counts the system calls of some processes.
#[derive(Debug)]
pub(super) struct SyscallWatch {
    perf: Child,
}

impl SyscallWatch {
    /// Starts counting; `None` without perf or the permission.
    pub(super) async fn start(processes: &[u32]) -> Option<Self> {
        let processes: Vec<String> = processes.iter().map(u32::to_string).collect();
        let mut command = Command::new("perf");
        command.args(["stat", "-x,", "-e", ALL, "-e", &WAITING.join(",")]);
        command.args(["-p", &processes.join(","), "--", "sh", "-c", WHILE]).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut perf = command.spawn().ok()?;
        let mut begun = [0];
        let out = perf.stdout.as_mut()?;
        // perf ends silently without the permission to count.
        timeout(PATIENCE, out.read_exact(&mut begun)).await.ok()?.ok()?;
        Some(Self { perf })
    }

    /// The number of calls so far.
    pub(super) async fn stop(mut self) -> Option<f64> {
        drop(self.perf.stdin.take());
        let told = timeout(PATIENCE, self.perf.wait_with_output()).await.ok()?.ok()?;
        calls_in(&String::from_utf8_lossy(&told.stderr))
    }
}

/// Parses perf's output: the first field of a line is the count, the third the event name.
fn calls_in(told: &str) -> Option<f64> {
    let lines = told.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let counts: Vec<(&str, f64)> =
        lines.filter_map(|words| Some((*words.get(2)?, words.first()?.parse().ok()?))).collect();
    let all = counts.iter().find(|(name, _)| *name == ALL)?.1;
    let waiting: f64 = counts.iter().filter(|(name, _)| WAITING.contains(name)).map(|(_, count)| count).sum();
    Some(all - waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_calls_are_excluded() {
        let told = "112,,raw_syscalls:sys_enter,6071625,100.00,,\n36,,syscalls:sys_enter_epoll_wait,6071625,100.00,,\n\
                    <not supported>,,syscalls:sys_enter_epoll_pwait,0,100.00,,\n8,,syscalls:sys_enter_futex,6071625,100.00,,\n";
        assert_eq!(calls_in(told), Some(68.0));
        assert_eq!(calls_in("No permission to enable raw_syscalls:sys_enter event."), None);
        assert_eq!(calls_in("<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n"), None);
    }

    #[tokio::test]
    async fn counting_without_permission_is_unknown() {
        assert!(SyscallWatch::start(&[u32::MAX]).await.is_none(), "there is no such process");
    }
}
