//! Sends SIGSTOP and SIGCONT to a process.

use crate::failure::Failure;

/// Stops the process (SIGSTOP).
pub(crate) fn stop(process: u32) -> Result<(), Failure> {
    send(process, SignalKind::Stop)
}

/// Continues a stopped process (SIGCONT).
pub(crate) fn go_on(process: u32) -> Result<(), Failure> {
    send(process, SignalKind::GoOn)
}

#[derive(Debug, Clone, Copy)]
enum SignalKind {
    Stop,
    GoOn,
}

#[cfg(unix)]
fn send(process: u32, signal: SignalKind) -> Result<(), Failure> {
    use rustix::process::{Pid, Signal, kill_process};
    let (signal, name) = match signal {
        SignalKind::Stop => (Signal::STOP, "SIGSTOP"),
        SignalKind::GoOn => (Signal::CONT, "SIGCONT"),
    };
    let failed = |why: &dyn std::fmt::Display| Failure::Failed(format!("{name} to process {process}: {why}"));
    let id = i32::try_from(process).ok().and_then(Pid::from_raw).ok_or_else(|| failed(&"no such number"))?;
    kill_process(id, signal).map_err(|error| failed(&error))
}

#[cfg(not(unix))]
fn send(process: u32, signal: SignalKind) -> Result<(), Failure> {
    Err(Failure::Failed(format!(
        "process {process}: this system knows no {signal:?} that lets a process live"
    )))
}
