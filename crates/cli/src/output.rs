//! Output for people and scripts: results go to standard output, everything else to standard error.

use std::io::{self, ErrorKind, Write};

use crate::failure::Failure;

/// Writes a result and a line break to standard output. A reader that closes the pipe, such as `head`, is not a
/// failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says on standard output what a verb that goes on running is doing. Where that cannot be written it goes on all the same.
pub(crate) fn announce(text: &str) {
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
}

/// Writes text and a line break to standard error. A closed standard error is ignored.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
