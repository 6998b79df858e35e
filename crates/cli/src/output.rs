//! Output for people and scripts: results go to standard output, everything else to standard error.
//!
//! With `--json` every line or document on either is JSON: what a verb has no fields for is `{"output": …}`
//! or `{"message": …}`.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::{Value, json};

use crate::failure::Failure;

/// Programs read the output.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Switches to JSON, before the verb runs.
pub(crate) fn be_json() {
    IS_JSON.store(true, Relaxed);
}

/// Whether programs read the output.
pub(crate) fn is_json() -> bool {
    IS_JSON.load(Relaxed)
}

/// Writes a result and a line break to standard output. A reader that closes the pipe, such as `head`, is not
/// a failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match is_json() {
        true => write(&json!({ "output": text.trim_end() }).to_string()),
        false => write(text.trim_end()),
    }
}

/// Writes the result of a verb: its fields for programs, or the words for people.
pub(crate) fn result(fields: &Value, words: &str) -> Result<(), Failure> {
    if is_json() { document(fields) } else { print(words) }
}

/// Writes a JSON document.
pub(crate) fn document(fields: &Value) -> Result<(), Failure> {
    write(&format!("{fields:#}"))
}

/// Writes a text as it is: where programs read, it is JSON already, a document or one in each line.
pub(crate) fn print_verbatim(text: &str) -> Result<(), Failure> {
    write(text.trim_end())
}

fn write(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says on standard output what a verb that goes on running is doing. Where that cannot be written it goes on
/// all the same.
pub(crate) fn announce(text: &str) {
    // The verb goes on.
    let _ = print(text);
}

/// Writes text and a line break to standard error. A closed standard error is ignored.
pub(crate) fn tell(text: &str) {
    let line = if is_json() { json!({ "message": text }).to_string() } else { text.to_owned() };
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes the failure of a verb to standard error, as one line of JSON.
pub(crate) fn tell_json(fields: &Value) {
    let _ = writeln!(io::stderr(), "{fields}");
}
