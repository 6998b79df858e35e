//! Each crate's README says what the crate is, what it must not know, and where to begin.

use crate::{Problem, Tree};

/// What each README has, beside what the crate is.
const PARTS: [&str; 2] = ["**Must not know:**", "**First file to read:**"];

/// Finds crates without a README, and READMEs without one of the parts.
#[must_use]
pub fn readmes(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for manifest in tree.with("toml") {
        let Some(folder) =
            manifest.path.strip_suffix("/Cargo.toml").filter(|folder| folder.starts_with("crates/"))
        else {
            continue;
        };
        let path = format!("{folder}/README.md");
        let Some(page) = tree.file(&path) else {
            let remedy = "write what the crate is, what it must not know, and its first file to read";
            problems.push(Problem::new(&path, 0, "the crate has no README", remedy));
            continue;
        };
        for part in PARTS.into_iter().filter(|part| !page.text.contains(part)) {
            problems.push(Problem::new(&path, 0, format!("there is no {part}"), "add the sentence"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readme_is_there_and_says_where_to_begin() {
        let problems = |readme: &[(&str, &str)]| {
            readmes(&Tree::of(&[&[("crates/one/Cargo.toml", ""), ("rig/Cargo.toml", "")], readme].concat()))
                .len()
        };
        let whole = "# One\n\n**Must not know:** x.\n\n**First file to read:** y.\n";
        assert_eq!(problems(&[]), 1);
        assert_eq!(problems(&[("crates/one/README.md", "# One\n")]), 2);
        assert_eq!(problems(&[("crates/one/README.md", whole)]), 0);
    }
}
