//! Going to the background, where Pen would: the program starts itself again in a session of its own, waits
//! until that one has its port, says its process id, and ends. What goes wrong until then is told on the
//! terminal.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::output;

/// The variable that tells a process that it is the one in the background.
const VARIABLE: &str = "SESSILE_DETACHED";
/// Longest line that says that the port is open.
const READY_BOUND: u64 = 64 * 1024;

/// Whether this process is the one in the background.
pub(super) fn is_meant() -> bool {
    cfg!(unix) && std::env::var_os(VARIABLE).is_some()
}

/// Starts this program again in the background; done once that one serves. `shows_traffic` wants a log that
/// somebody can read.
pub(super) fn start(shows_traffic: bool) -> Result<(), Failure> {
    if !cfg!(unix) {
        return Err(Failure::Usage(
            "only Unix has a background to go to: add -f to stay in front".to_owned(),
        ));
    }
    if shows_traffic && !keeps_log() {
        return Err(Failure::Usage(
            "-a writes to standard error, which a program in the background has not: add -f, or `2> FILE`"
                .to_owned(),
        ));
    }
    let failed =
        |error: std::io::Error| Failure::Failed(format!("cannot go to the background: {error}; add -f"));
    let mut child = Command::new(std::env::current_exe().map_err(failed)?)
        .args(std::env::args_os().skip(1))
        .env(VARIABLE, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut ready = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out.take(READY_BOUND)).read_line(&mut ready).map_err(failed)?;
    }
    if ready.is_empty() {
        let code = child.wait().map_err(failed)?.code().and_then(|code| u8::try_from(code).ok());
        return Err(Failure::Told(code.unwrap_or(1)));
    }
    output::print(&format!("{}; process {}", ready.trim_end(), child.id()))
}

/// Leaves the terminal's session, so that nothing that happens to that ends this process.
#[cfg(unix)]
pub(super) fn leave_session() -> Result<(), Failure> {
    rustix::process::setsid()
        .map(drop)
        .map_err(|error| Failure::Failed(format!("no session of its own: {error}")))
}

/// Lets go of the terminal, and with that tells the process in front that the port is open. The log goes on
/// where it was sent to a file; a terminal gets no more of it.
#[cfg(unix)]
pub(super) fn leave_terminal() -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("/dev/null: {error}"));
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null").map_err(failed)?;
    rustix::stdio::dup2_stdout(&null).map_err(|error| failed(error.into()))?;
    if !keeps_log() {
        rustix::stdio::dup2_stderr(&null).map_err(|error| failed(error.into()))?;
    }
    Ok(())
}

/// Whether standard error is a file.
#[cfg(unix)]
fn keeps_log() -> bool {
    use std::os::fd::AsFd;
    let descriptor = std::io::stderr().as_fd().try_clone_to_owned();
    descriptor.and_then(|owned| std::fs::File::from(owned).metadata()).is_ok_and(|file| file.is_file())
}

#[cfg(not(unix))]
pub(super) fn leave_session() -> Result<(), Failure> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn leave_terminal() -> Result<(), Failure> {
    Ok(())
}

#[cfg(not(unix))]
fn keeps_log() -> bool {
    false
}
