//! Words that were replaced by the field's own do not come back into names.

use std::collections::BTreeMap;

use crate::rust::is_name;
use crate::{Problem, Tree};

/// Finds retired words as parts of names in code, one problem for each word and crate. `words` says what
/// replaced each.
#[must_use]
pub fn retired_words(tree: &Tree, words: &[(&str, &str)]) -> Vec<Problem> {
    let mut uses: BTreeMap<(String, &str), Uses> = BTreeMap::new();
    for file in tree.with("rs").filter(|file| !is_apart(&file.path)) {
        let Some((folder, _)) = file.path.split_once("/src/") else { continue };
        for (at, line) in file.masked().code.lines().enumerate() {
            for name in line.split(|c| !is_name(c)).filter(|name| !name.is_empty()) {
                for (word, _) in words.iter().filter(|(word, _)| has_part(name, word)) {
                    let found = uses.entry((folder.to_owned(), word)).or_default();
                    found.count += 1;
                    found.first.get_or_insert_with(|| (file.path.clone(), at + 1, name.to_owned()));
                }
            }
        }
    }
    let instead =
        |word: &str| words.iter().find(|(known, _)| *known == word).map_or("", |(_, instead)| *instead);
    let problems = uses.into_iter().filter_map(|((folder, word), found)| {
        let (file, line, name) = found.first?;
        let what = format!("`{word}` is in {} names of code, first in {file}:{line} (`{name}`)", found.count);
        Some(Problem::new(&folder, 0, what, format!("the word is {}", instead(word))))
    });
    problems.collect()
}

/// The words themselves, and samples, which speak of their own subjects.
fn is_apart(path: &str) -> bool {
    path.starts_with("tidy/") || path.starts_with("samples/")
}

/// Where a word is used in one crate.
#[derive(Default)]
struct Uses {
    count: usize,
    first: Option<(String, usize, String)>,
}

/// Whether a name has this word between underscores or capitals.
fn has_part(name: &str, word: &str) -> bool {
    if name.len() < word.len() {
        return false;
    }
    let mut part = String::new();
    for c in name.chars().chain(['_']) {
        let ends = c == '_' || c.is_uppercase() && part.ends_with(|c: char| !c.is_uppercase());
        if ends {
            if part.eq_ignore_ascii_case(word) {
                return true;
            }
            part.clear();
        }
        if c != '_' {
            part.push(c);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retired_word_is_found_as_a_part_of_a_name() {
        for name in ["boot", "BOOT", "first_boot", "BootMarks", "theBoot"] {
            assert!(has_part(name, "boot"), "{name}");
        }
        for name in ["bootstrap", "reboot", "Robot", "boo_t"] {
            assert!(!has_part(name, "boot"), "{name}");
        }
    }

    #[test]
    fn it_is_counted_once_for_a_crate() {
        let text = "// boot\nlet boot = 1;\nstruct BootId;";
        let tree = Tree::of(&[("crates/a/src/b.rs", text), ("crates/b/src/c.rs", "fn go() {}")]);
        let problems = retired_words(&tree, &[("boot", "incarnation")]);
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].what.contains("in 2 names") && problems[0].what.contains("b.rs:2"),
            "{}",
            problems[0]
        );
        assert_eq!(problems[0].file, "crates/a");
    }
}
