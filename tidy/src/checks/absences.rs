//! What the code of a room must not name: clocks in the core, sessions in the group, cookies in the driver.

use crate::rust::NamedPath;
use crate::{Problem, SourceFile, Tree};

/// Names that must not be in the code of some folders.
#[derive(Clone, Copy, Debug)]
pub struct Absence<'a> {
    /// The invariant in ARCHITECTURE.md that it keeps, as `A1`.
    pub invariant: &'a str,
    /// Files and folders that it holds for.
    pub folders: &'a [&'a str],
    /// Files and folders among them that it does not hold for.
    pub except: &'a [&'a str],
    /// `tokio` is a name anywhere in a path; `std::net` is how a path begins, `a::b::` one that goes
    /// on after that; `~cookie` is a part of any name.
    pub names: &'a [&'a str],
    /// Beginnings of paths that are free though they begin as a forbidden one.
    pub free: &'a [&'a str],
    /// What to do instead.
    pub remedy: &'a str,
}

/// Finds forbidden names in code, tests left out; and folders that do not exist.
#[must_use]
pub fn absences(tree: &Tree, rules: &[Absence<'_>]) -> Vec<Problem> {
    rules.iter().flat_map(|rule| one(tree, rule)).collect()
}

fn one(tree: &Tree, rule: &Absence<'_>) -> Vec<Problem> {
    let missing = rule.folders.iter().chain(rule.except).filter(|folder| !tree.has(folder));
    let mut problems: Vec<Problem> = missing
        .map(|folder| {
            let what = format!("invariant {} names {folder}, which does not exist", rule.invariant);
            Problem::new("tidy/tests/tidy/rooms.rs", 0, what, "name the folder as it is called now")
        })
        .collect();
    let is_excepted = |file: &&SourceFile| {
        let is_test = file.path.ends_with("/tests.rs") || file.path.contains("/tests/");
        !is_test && !rule.except.iter().any(|except| crate::tree::is_under(&file.path, except))
    };
    for file in tree.rust(rule.folders).filter(is_excepted) {
        for named in file.named_paths() {
            let Some(name) = rule.names.iter().find(|name| is_forbidden(named, name, rule.free)) else {
                continue;
            };
            let what = format!("names `{}`, against invariant {} ({name})", named.path, rule.invariant);
            problems.push(Problem::new(&file.path, named.line, what, rule.remedy));
        }
    }
    problems
}

fn is_forbidden(named: &NamedPath, name: &str, free: &[&str]) -> bool {
    let begins = |with: &str| {
        named.path.strip_prefix(with).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    if free.iter().any(|free| begins(free)) {
        return false;
    }
    if let Some(part) = name.strip_prefix('~') {
        return named.path.to_lowercase().contains(part);
    }
    if let Some(module) = name.strip_suffix("::") {
        return named.path.starts_with(name) && named.path != module;
    }
    if name.contains("::") { begins(name) } else { named.path.split("::").any(|segment| segment == name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Absence<'_> = Absence {
        invariant: "A1",
        folders: &["core"],
        except: &["core/free.rs"],
        names: &["tokio", "std::net", "~cookie"],
        free: &["std::net::Ipv4Addr"],
        remedy: "leave it to the driver",
    };

    fn found(text: &str) -> Vec<usize> {
        let tree = Tree::of(&[
            ("core/a.rs", text),
            ("core/free.rs", "use tokio::x;"),
            ("web/b.rs", "use tokio::x;"),
        ]);
        absences(&tree, &[RULE]).iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn forbidden_names_are_found_in_code_only() {
        assert_eq!(found("// tokio\nuse tokio::time;\nlet x = \"tokio\";\ntokio::spawn()"), [2, 4]);
        assert_eq!(found("use std::{fs, net::SocketAddr};\nlet SetCookie = 1;"), [1, 2]);
        assert_eq!(found("use std::net::Ipv4Addr;\n#[cfg(test)]\nmod tests { use tokio::x; }"), [0_usize; 0]);
    }

    #[test]
    fn a_folder_that_is_gone_is_a_problem() {
        let problems =
            absences(&Tree::of(&[("core/free.rs", "")]), &[Absence { folders: &["gone"], ..RULE }]);
        assert!(problems[0].what.contains("gone"), "{}", problems[0]);
    }
}
