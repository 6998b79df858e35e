//! Names that only a build with some feature may have: planted bugs.

use crate::rust::is_name;
use crate::{Problem, Tree};

/// Names that stand only where a feature is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// The invariant in ARCHITECTURE.md that it keeps, as `A1`.
    pub invariant: &'a str,
    /// The folder that it holds for.
    pub folder: &'a str,
    /// Files in it that are compiled with the feature only, or that make the gate.
    pub except: &'a [&'a str],
    /// The names. A macro of that name is free: it is the gate.
    pub names: &'a [&'a str],
    /// The feature.
    pub feature: &'a str,
}

/// So many lines before a name the feature must be asked for: an item's attributes and its head.
const REACH: usize = 4;

/// Finds names that stand where the feature is not asked for a few lines above.
#[must_use]
pub fn gates(tree: &Tree, rules: &[Gate<'_>]) -> Vec<Problem> {
    rules.iter().flat_map(|rule| one(tree, rule)).collect()
}

fn one(tree: &Tree, rule: &Gate<'_>) -> Vec<Problem> {
    let asks = format!("feature = \"{}\"", rule.feature);
    let mut problems = Vec::new();
    for file in tree.rust(&[rule.folder]).filter(|file| !rule.except.contains(&file.path.as_str())) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (at, code) in file.masked().code.lines().enumerate() {
            let Some(name) = rule.names.iter().find(|name| names_it(code, name)) else { continue };
            let before = &lines[at.saturating_sub(REACH)..=at];
            if before.iter().any(|line| line.contains(&asks)) {
                continue;
            }
            let what = format!(
                "{name} stands in every build, against invariant {} (feature {})",
                rule.invariant, rule.feature
            );
            let remedy =
                "leave one line of the macro that the feature compiles, and put the rest where it is gated";
            problems.push(Problem::new(&file.path, at + 1, what, remedy));
        }
    }
    problems
}

/// The name as a word of its own that is no macro.
fn names_it(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let after = code[at + name.len()..].chars().next();
        let before = code[..at].chars().next_back();
        !before.is_some_and(is_name) && !after.is_some_and(|c| is_name(c) || c == '!')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATE: Gate<'_> = Gate {
        invariant: "A7",
        folder: "core",
        except: &["core/planted.rs"],
        names: &["Plant", "planted"],
        feature: "planted",
    };

    fn found(text: &str) -> Vec<usize> {
        let tree = Tree::of(&[("core/a.rs", text), ("core/planted.rs", "struct Plant;")]);
        gates(&tree, &[GATE]).iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn a_name_stands_behind_its_feature() {
        assert_eq!(
            found("#[cfg(feature = \"planted\")]\nmod planted;\nlet a = planted!(x, Y);\n// Plant"),
            [0; 0]
        );
        assert_eq!(found("fn f() {\n    if plant == Plant::Bug {}\n}\nlet x = self.planted;"), [2, 4]);
    }
}
