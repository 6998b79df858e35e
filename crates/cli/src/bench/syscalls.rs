//! How many system calls processes make: `perf stat` counts them in the kernel, at a cost that does not show.
//!
//! Where there is no perf, or the system does not let it count, the answer is that it is not known. Calls that only wait
//! (epoll, futex) are not counted: how often a thread sleeps says how idle it was.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// All calls, and those of them that wait.
const ALL: &str = "raw_syscalls:sys_enter";
const WAITING: [&str; 3] =
    ["syscalls:sys_enter_epoll_wait", "syscalls:sys_enter_epoll_pwait", "syscalls:sys_enter_futex"];
/// It counts as long as its child lives, which says when it has begun and ends with its input.
const WHILE: &str = "echo; exec cat";
/// Longest wait for perf, to begin and to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Counts the calls of some processes, from now on.
#[derive(Debug)]
pub(super) struct SyscallWatch {
    perf: Child,
}

impl SyscallWatch {
    /// `None` where nobody may count.
    pub(super) async fn start(processes: &[u32]) -> Option<Self> {
        let processes: Vec<String> = processes.iter().map(u32::to_string).collect();
        let mut command = Command::new("perf");
        command.args(["stat", "-x,", "-e", ALL, "-e", &WAITING.join(",")]);
        command.args(["-p", &processes.join(","), "--", "sh", "-c", WHILE]).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut perf = command.spawn().ok()?;
        let mut begun = [0];
        let out = perf.stdout.as_mut()?;
        // It ends without a word when it may not count.
        timeout(PATIENCE, out.read_exact(&mut begun)).await.ok()?.ok()?;
        Some(Self { perf })
    }

    /// The calls until now.
    pub(super) async fn stop(mut self) -> Option<f64> {
        drop(self.perf.stdin.take());
        let told = timeout(PATIENCE, self.perf.wait_with_output()).await.ok()?.ok()?;
        calls_in(&String::from_utf8_lossy(&told.stderr))
    }
}

/// Reads what perf says: the count is the first, the name the third of each line's words.
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
    fn calls_that_wait_are_not_counted() {
        let told = "112,,raw_syscalls:sys_enter,6071625,100.00,,\n36,,syscalls:sys_enter_epoll_wait,6071625,100.00,,\n\
                    <not supported>,,syscalls:sys_enter_epoll_pwait,0,100.00,,\n8,,syscalls:sys_enter_futex,6071625,100.00,,\n";
        assert_eq!(calls_in(told), Some(68.0));
        assert_eq!(calls_in("No permission to enable raw_syscalls:sys_enter event."), None);
        assert_eq!(calls_in("<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n"), None);
    }

    #[tokio::test]
    async fn who_may_not_count_says_so() {
        assert!(SyscallWatch::start(&[u32::MAX]).await.is_none(), "there is no such process");
    }
}
