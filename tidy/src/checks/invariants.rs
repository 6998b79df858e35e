//! The invariants in ARCHITECTURE.md: numbered, and each either checked by something that exists or marked as
//! not checkable.

use super::references;
use crate::markdown::{LineKind, lines};
use crate::{Problem, Tree};

const PAGE: &str = "ARCHITECTURE.md";
const CHECKED: &str = "*Checked by:*";
const NOT_CHECKABLE: &str = "*Not checkable:*";

/// Finds invariants whose numbers do not ascend, that nothing checks, or that a check keeps and the page
/// lacks.
#[must_use]
pub fn invariants(tree: &Tree, checked: &[&str]) -> Vec<Problem> {
    let Some(page) = tree.file(PAGE) else {
        return vec![Problem::new(PAGE, 0, "the page is missing", "restore it")];
    };
    let listed = items(&page.text);
    let mut problems = Vec::new();
    for (at, (line, number, text)) in listed.iter().enumerate() {
        if *number != format!("A{}", at + 1) {
            let what = format!("the invariant is called {number}, and A{} comes next", at + 1);
            problems.push(Problem::new(
                PAGE,
                *line,
                what,
                "number them without a gap, and the checks with them",
            ));
        }
        match (text.split_once(CHECKED), text.contains(NOT_CHECKABLE)) {
            (Some((_, by)), false) => problems.extend(references::check(tree, PAGE, *line, by)),
            (None, true) => {}
            _ => {
                let what = format!("{number} says neither what checks it nor that it cannot be checked");
                let remedy = format!("end it with {CHECKED} or with {NOT_CHECKABLE}");
                problems.push(Problem::new(PAGE, *line, what, remedy));
            }
        }
    }
    let is_listed = |number: &&&str| listed.iter().any(|(_, listed, _)| listed == **number);
    problems.extend(checked.iter().filter(|number| !is_listed(number)).map(|number| {
        Problem::new(PAGE, 0, format!("a check keeps {number}, which is not listed"), "list it")
    }));
    problems
}

/// Line, number and text of each `* **A1** ...`.
fn items(page: &str) -> Vec<(usize, String, String)> {
    let mut found: Vec<(usize, String, String)> = Vec::new();
    let mut within = false;
    for line in lines(page).filter(|line| line.kind == LineKind::Prose) {
        if let Some((number, text)) = line.text.strip_prefix("* **A").and_then(|rest| rest.split_once("**")) {
            found.push((line.number, format!("A{number}"), text.to_owned()));
            within = true;
        } else if within && line.text.starts_with("  ") {
            if let Some((_, _, text)) = found.last_mut() {
                *text += " ";
                *text += line.text.trim();
            }
        } else {
            within = false;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str) -> Vec<String> {
        let tree = Tree::of(&[(PAGE, page), ("a/b.rs", "fn go() {}")]);
        invariants(&tree, &["A1"]).into_iter().map(|problem| problem.what).collect()
    }

    #[test]
    fn an_invariant_says_what_checks_it() {
        assert_eq!(
            found("* **A1** No clock.\n  *Checked by:* `a/b.rs` (`go`)\n* **A2** x *Not checkable:* y"),
            [""; 0]
        );
        assert_eq!(
            found("* **A1** No clock."),
            ["A1 says neither what checks it nor that it cannot be checked"]
        );
        assert_eq!(
            found("* **A1** x *Checked by:* `a/b.rs` (`stop`)"),
            ["there is no function stop in a/b.rs"]
        );
        let gap = found("* **A2** x *Not checkable:* y");
        assert!(gap[0].contains("A1 comes next") && gap[1].contains("keeps A1"), "{gap:?}");
    }
}
