//! Public types of the workspace's crates have distinct names: a reader who finds `Node` must not ask which.

use std::collections::BTreeMap;

use crate::rust::without_tests;
use crate::{Problem, Tree};

/// Finds public types of one name in several files, but for those that are listed with a reason; and listed
/// names that are unique.
#[must_use]
pub fn type_names(tree: &Tree, known: &[(&str, &str)]) -> Vec<Problem> {
    let mut places: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    let sources = tree.with("rs").filter(|file| {
        file.path.starts_with("crates/") && file.path.contains("/src/") && !file.path.ends_with("/tests.rs")
    });
    for file in sources {
        let code = without_tests(&file.masked().code);
        for (line, name) in public_types(&code) {
            places.entry(name).or_default().push((file.path.clone(), line));
        }
    }
    let is_known = |name: &str| known.iter().any(|(known, _)| *known == name);
    let twice = |places: &&Vec<(String, usize)>| places.len() > 1;
    let mut problems: Vec<Problem> = places
        .iter()
        .filter(|(name, places)| twice(places) && !is_known(name))
        .map(|(name, places)| {
            let files: Vec<&str> = places.iter().map(|(file, _)| file.as_str()).collect();
            let what =
                format!("the public type {name} is declared {} times: {}", files.len(), files.join(", "));
            Problem::new(
                &places[0].0,
                places[0].1,
                what,
                "name each after what it is, or list the name with a reason",
            )
        })
        .collect();
    let unneeded = known.iter().filter(|(name, _)| places.get(*name).filter(twice).is_none());
    problems.extend(unneeded.map(|(name, _)| {
        let what = format!("the listed name {name} is unique now");
        Problem::new("tidy/tests/tidy/known.rs", 0, what, "take it out of the list of known names")
    }));
    problems
}

/// Line and name of each type that is `pub` and nothing less.
fn public_types(code: &str) -> impl Iterator<Item = (usize, String)> {
    code.lines().enumerate().filter_map(|(at, line)| {
        let rest = line.trim_start().strip_prefix("pub ")?;
        let rest = ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| rest.strip_prefix(kind))?;
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        Some((at + 1, rest[..end].to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(known: &[(&str, &str)]) -> Vec<String> {
        let files = [
            ("crates/a/src/lib.rs", "pub struct Node;\n#[cfg(test)]\nmod tests { pub struct Twice; }"),
            ("crates/b/src/lib.rs", "pub enum Node {}\npub(crate) struct Twice;"),
        ];
        type_names(&Tree::of(&files), known).into_iter().map(|problem| problem.what).collect()
    }

    #[test]
    fn a_name_stands_for_one_type() {
        assert!(found(&[])[0].contains("Node is declared 2 times"));
        assert_eq!(found(&[("Node", "a reason")]), [""; 0]);
        let unneeded = found(&[("Node", "a reason"), ("Twice", "no reason")]);
        assert_eq!(unneeded, ["the listed name Twice is unique now"]);
    }
}
