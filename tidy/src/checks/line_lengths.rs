//! How long lines of prose and files of code may be.

use crate::markdown::{LineKind, lines};
use crate::{Problem, Tree};

/// Characters in a line of Markdown outside tables and code. Rust code is rustfmt's.
const LINE_MAX: usize = 110;
/// Lines in a file of Rust.
const FILE_MAX: usize = 450;

/// Finds long lines of Markdown, one problem a file, and long files of Rust.
#[must_use]
pub fn line_lengths(tree: &Tree) -> Vec<Problem> {
    let long_files = tree.with("rs").filter_map(|file| {
        let count = file.text.lines().count();
        let what = format!("the file has {count} lines, and {FILE_MAX} are the most");
        (count > FILE_MAX)
            .then(|| Problem::new(&file.path, 0, what, "give a state with its rules a file of its own"))
    });
    let long_lines = tree.with("md").filter_map(|file| {
        let long: Vec<usize> = lines(&file.text)
            .filter(|line| line.kind == LineKind::Prose && is_long(line.text))
            .map(|line| line.number)
            .collect();
        let first = *long.first()?;
        let what = format!("{} lines are longer than {LINE_MAX} characters", long.len());
        Some(Problem::new(
            &file.path,
            first,
            what,
            "wrap them; a link that is longer stands on a line of its own",
        ))
    });
    long_files.chain(long_lines).collect()
}

/// A line that can be made shorter: one word alone cannot.
fn is_long(line: &str) -> bool {
    line.chars().count() > LINE_MAX && line.trim().contains(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_of_prose_are_found_and_tables_are_free() {
        let long = "word ".repeat(30);
        let page = format!("short\n| {long} |\n```\n{long}\n```\n{long}\n");
        let problems = line_lengths(&Tree::of(&[("docs/a.md", &page)]));
        assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn long_files_are_found() {
        let text = "\n".repeat(FILE_MAX + 1);
        let problems = line_lengths(&Tree::of(&[("a.rs", &text), ("b.rs", &text[1..])]));
        assert_eq!(problems.iter().map(|problem| problem.file.as_str()).collect::<Vec<_>>(), ["a.rs"]);
    }
}
