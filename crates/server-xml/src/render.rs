//! The file that is written.

use crate::applications;
use crate::draft::{Draft, Imported, Left, Note};

/// The tables in their order.
const TABLES: [&str; 12] = [
    "node",
    "http",
    "http.limits",
    "ajp",
    "admin",
    "cluster",
    "membership",
    "sender",
    "receiver",
    "replication",
    "session",
    "store",
];
/// Where the comments of a table's lines begin.
const COLUMN: usize = 36;
/// Longest line.
const WIDTH: usize = 110;

/// Writes the configuration, and lists what is lost.
pub(crate) fn imported(draft: &Draft, server: &str) -> Imported {
    let mut toml = format!(
        "# Written by `sessile import-server-xml` from {server}. Comments begin with the line that they are about.\n"
    );
    for table in TABLES.into_iter().chain(["farm"]) {
        toml.push_str(&table_text(draft, table));
    }
    toml.push_str(&applications::tables(draft));
    notes(&mut toml, draft, |note| note.table == "app" || is_elsewhere(draft, note));
    let left: Vec<Left> =
        draft.notes.iter().filter(|note| note.is_loss).map(|note| note.left.clone()).collect();
    Imported { toml, left }
}

/// Whether no table is written that the note could be in.
fn is_elsewhere(draft: &Draft, note: &Note) -> bool {
    note.table.is_empty()
        || (note.table != "app" && !draft.values.iter().any(|value| value.table == note.table))
}

fn table_text(draft: &Draft, table: &str) -> String {
    let values: Vec<_> = draft.values.iter().filter(|value| value.table == table).collect();
    if values.is_empty() {
        return String::new();
    }
    let mut text = format!("\n[{table}]\n");
    for value in values {
        let line = format!("{} = {}", value.key, value.value);
        if COLUMN.max(line.len() + 1) + value.comment.len() + 2 > WIDTH {
            comment(&mut text, &value.comment);
            text.push_str(&format!("{line}\n"));
        } else {
            text.push_str(&format!("{line:COLUMN$} # {}\n", value.comment));
        }
    }
    for note in draft.notes.iter().filter(|note| note.table == table) {
        comment(&mut text, &words(note));
    }
    text
}

/// The notes that have no table.
fn notes(toml: &mut String, draft: &Draft, fits: impl Fn(&Note) -> bool) {
    let fitting: Vec<_> = draft.notes.iter().filter(|note| fits(note)).collect();
    if fitting.is_empty() {
        return;
    }
    toml.push_str("\n# Without an equal here:\n");
    fitting.iter().for_each(|note| comment(toml, &words(note)));
}

fn words(note: &Note) -> String {
    format!("{}, {}: {}", note.left.place, note.left.what, note.left.why)
}

/// A comment in as many lines as it needs. Control characters would end it.
fn comment(text: &mut String, words: &str) {
    let words = words.replace(char::is_control, " ");
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH && line.len() > 3 {
            text.push_str(&format!("{line}\n"));
            line = String::from("#  ");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&format!("{line}\n"));
}
