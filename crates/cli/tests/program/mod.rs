//! Running the built program in a directory of its own.

use std::ffi::OsStr;
use std::process::Command;

use tempfile::TempDir;

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

/// A directory with these files, gone when dropped.
pub(crate) fn scratch<const N: usize>(files: [(&str, &str); N]) -> TempDir {
    let place = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        std::fs::write(place.path().join(name), text).expect("writable");
    }
    place
}

/// Runs the program in that directory.
pub(crate) fn run(place: &TempDir, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Done {
    let mut program = Command::new(env!("CARGO_BIN_EXE_sessile"));
    let done =
        program.args(arguments).current_dir(place).env_remove("SESSILE_LOG").output().expect("it runs");
    Done {
        code: done.status.code().expect("it was not killed"),
        out: String::from_utf8(done.stdout).expect("text"),
        err: String::from_utf8(done.stderr).expect("text"),
    }
}
