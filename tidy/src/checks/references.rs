//! References in documents to files and the functions in them: `` `crates/core/src/node.rs` (`gate`) ``.

use crate::markdown::code_spans;
use crate::{Problem, Tree};

/// Finds files that do not exist, and functions that are not in the file named before them; also that nothing
/// is named.
pub(super) fn check(tree: &Tree, page: &str, line: usize, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut file = None;
    for span in code_spans(text) {
        let wrong = if span.contains(['/', '.']) {
            file = tree.file(span);
            (!tree.has(span)).then(|| format!("there is no file {span}"))
        } else {
            let has_it = file.is_some_and(|file| has_function(&file.masked().code, span));
            let place = file.map_or("that file", |file| &file.path);
            (!has_it).then(|| format!("there is no function {span} in {place}"))
        };
        let remedy = "name the file and the function that keep this now";
        problems.extend(wrong.map(|what| Problem::new(page, line, what, remedy)));
    }
    if code_spans(text).next().is_none() {
        problems.push(Problem::new(
            page,
            line,
            "nothing is named that keeps this",
            "name a file and a function",
        ));
    }
    problems
}

/// Whether code declares a function of that name.
pub(super) fn has_function(code: &str, name: &str) -> bool {
    code.match_indices("fn ").any(|(at, _)| {
        let rest = code[at + 3..].strip_prefix(name);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_functions_must_be_there() {
        let tree = Tree::of(&[("a/b.rs", "fn go_on() {} // fn stop()")]);
        let found = |text| check(&tree, "P.md", 1, text).len();
        assert_eq!(found("`a/b.rs` (`go_on`)"), 0);
        assert_eq!(found("`a/b.rs` (`go`, `stop`)"), 2);
        assert_eq!((found("`a/c.rs`"), found("nothing")), (1, 1));
    }
}
