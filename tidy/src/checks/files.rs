//! File names that say nothing about the content.

use crate::{Problem, Tree};

/// Names of files, folders and modules that a reader cannot guess anything from.
const BANNED: [&str; 14] = [
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "misc",
    "data",
    "info",
    "base",
    "impl",
    "stuff",
    "shared",
    "core_impl",
    "internal",
];

/// Finds files, folders and modules of Rust with such names.
#[must_use]
pub fn files(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.with("rs") {
        let parts = file.path.trim_end_matches(".rs").split('/').map(|part| (0, part));
        let code = file.masked().code.lines().enumerate();
        let modules = code.filter_map(|(at, line)| {
            let module = line.split_once("mod ")?.1;
            Some((at + 1, module.split([' ', ';', '{']).next()?))
        });
        for (line, banned) in parts.chain(modules).filter(|(_, part)| BANNED.contains(part)) {
            let what = format!("{banned:?} says nothing about what is in it");
            problems.push(Problem::new(
                &file.path,
                line,
                what,
                "name it after the state or the rule that it holds",
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing_are_found() {
        let tree = Tree::of(&[
            ("a/src/util.rs", ""),
            ("a/src/common/b.rs", ""),
            ("a/src/utility.rs", "mod misc {}"),
        ]);
        let found: Vec<String> = files(&tree).into_iter().map(|problem| problem.file).collect();
        assert_eq!(found, ["a/src/util.rs", "a/src/common/b.rs", "a/src/utility.rs"]);
    }
}
