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

/// Finds files and folders of Rust with such names.
#[must_use]
pub fn files(tree: &Tree) -> Vec<Problem> {
    let named = tree.with("rs").filter_map(|file| {
        let parts = file.path.trim_end_matches(".rs").split('/');
        let banned = parts.filter(|part| BANNED.contains(part)).next_back()?;
        let what = format!("{banned:?} says nothing about what is in it");
        Some(Problem::new(&file.path, 0, what, "name it after the state or the rule that it holds"))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing_are_found() {
        let tree = Tree::of(&[("a/src/util.rs", ""), ("a/src/common/b.rs", ""), ("a/src/utility.rs", "")]);
        let found: Vec<String> = files(&tree).into_iter().map(|problem| problem.file).collect();
        assert_eq!(found, ["a/src/util.rs", "a/src/common/b.rs"]);
    }
}
