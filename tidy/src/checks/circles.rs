//! Circles of files: of two files each of which names the other, neither can be read first.
//!
//! A folder and what is in it are no circle: a child names its parent's type, and the parent puts its
//! children together.

use std::collections::{BTreeMap, BTreeSet};

use crate::rust::NamedPath;
use crate::{Problem, Tree};

/// A circle that is tolerated, with the reason.
#[derive(Clone, Copy, Debug)]
pub struct Circle<'a> {
    /// Its files, from the root of the repository.
    pub files: &'a [&'a str],
    /// Why it is there.
    pub reason: &'a str,
}

/// A module as the names from its crate's root.
type Module = Vec<String>;

/// Finds circles of files within a crate that are not listed, and listed ones that are not there.
#[must_use]
pub fn circles(tree: &Tree, known: &[Circle<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    let listed: Vec<BTreeSet<String>> =
        known.iter().map(|circle| circle.files.iter().map(|file| (*file).to_owned()).collect()).collect();
    for source in crate_sources(tree) {
        let graph = Graph::of(tree, &source);
        for circle in graph.circles() {
            let files: BTreeSet<String> = circle.iter().map(|module| graph.files[*module].clone()).collect();
            if !listed.contains(&files) {
                problems.push(graph.problem(&circle));
            }
            found.push(files);
        }
    }
    for circle in
        known.iter().zip(&listed).filter(|(_, files)| !found.contains(files)).map(|(circle, _)| circle)
    {
        let what =
            format!("the circle is not there (any more, or with these files): {}", circle.files.join(", "));
        let remedy = "take it out of the list of known circles, or name its files";
        problems.push(Problem::new("tidy/tests/tidy/known.rs", 0, what, remedy));
    }
    problems
}

/// The `src` folders of all crates.
fn crate_sources(tree: &Tree) -> BTreeSet<String> {
    let roots = tree.with("rs").filter_map(|file| {
        let (source, name) = file.path.rsplit_once('/')?;
        (matches!(name, "lib.rs" | "main.rs") && source.ends_with("/src")).then(|| source.to_owned())
    });
    roots.filter(|source| !source.starts_with("samples/")).collect()
}

/// Which module of a crate names which.
struct Graph<'a> {
    files: BTreeMap<Module, String>,
    named: BTreeMap<Module, &'a [NamedPath]>,
}

impl<'a> Graph<'a> {
    fn of(tree: &'a Tree, source: &str) -> Self {
        let (mut files, mut named) = (BTreeMap::new(), BTreeMap::new());
        for file in tree.rust(&[source]) {
            let inner = file.path[source.len() + 1..].trim_end_matches(".rs");
            let mut module: Module = inner.split('/').map(str::to_owned).collect();
            // Deliberate bugs name whatever they break.
            let is_left_out = |part: &String| matches!(part.as_str(), "tests" | "planted");
            if module.iter().any(is_left_out) || module[0] == "bin" {
                continue;
            }
            if matches!(module.last().map(String::as_str), Some("lib" | "main" | "mod")) {
                module.pop();
            }
            named.insert(module.clone(), file.named_paths());
            files.insert(module, file.path.clone());
        }
        Self { files, named }
    }

    /// The module that `path`, written in `module`, leads to, through what is exported again.
    fn resolve(&self, module: &[String], path: &str, depth: usize) -> Option<Module> {
        let mut parts: Vec<&str> = path.split("::").collect();
        let mut at: Module = match parts[0] {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => module.split_last()?.1.to_vec(),
            child if self.files.contains_key(&with(module, child)) => with(module, child),
            _ => return None,
        };
        parts.remove(0);
        while parts.first() == Some(&"super") {
            at.pop();
            parts.remove(0);
        }
        while let Some(part) = parts.first() {
            let child = with(&at, part);
            if !self.files.contains_key(&child) {
                break;
            }
            at = child;
            parts.remove(0);
        }
        let exported = parts.first().filter(|_| depth < 4).and_then(|name| self.exported(&at, name, depth));
        Some(exported.unwrap_or(at))
    }

    /// The module from which `module` exports `name` again.
    fn exported(&self, module: &Module, name: &str, depth: usize) -> Option<Module> {
        let named = self.named.get(module)?.iter().find(|named| named.is_exported && named.name == name)?;
        self.resolve(module, &named.path, depth + 1).filter(|target| target != module)
    }

    /// The modules that a module names, with the line of the first time, but those that it is within or that
    /// are within it.
    fn next(&self, module: &Module) -> BTreeMap<&Module, usize> {
        let mut next = BTreeMap::new();
        for named in self.named.get(module).copied().unwrap_or_default() {
            let target = self.resolve(module, &named.path, 0).filter(|target| !is_kin(module, target));
            if let Some((target, _)) = target.and_then(|target| self.files.get_key_value(&target)) {
                next.entry(target).or_insert(named.line);
            }
        }
        next
    }

    /// Sets of modules that reach each other.
    fn circles(&self) -> BTreeSet<BTreeSet<&Module>> {
        let edges: BTreeMap<&Module, Vec<&Module>> =
            self.files.keys().map(|module| (module, self.next(module).into_keys().collect())).collect();
        let reach = |start: &Module| {
            let (mut seen, mut waiting) = (BTreeSet::new(), edges[start].clone());
            while let Some(module) = waiting.pop() {
                if seen.insert(module) {
                    waiting.extend(&edges[module]);
                }
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            self.files.keys().map(|module| (module, reach(module))).collect();
        let mut circles = BTreeSet::new();
        for (module, from_it) in &reached {
            let circle: BTreeSet<&Module> =
                from_it.iter().filter(|other| reached[*other].contains(module)).copied().collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles
    }

    /// A circle with the lines that close it.
    fn problem(&self, circle: &BTreeSet<&Module>) -> Problem {
        let mut steps = Vec::new();
        for module in circle {
            let next = self.next(module);
            for (other, line) in next.into_iter().filter(|(other, _)| circle.contains(other)) {
                steps.push(format!("{}:{line} names {}", self.files[*module], self.files[other]));
            }
        }
        let first = circle.first().map_or("", |module| self.files[*module].as_str());
        let what = format!("{} files name each other in a circle: {}", circle.len(), steps.join("; "));
        let remedy = "move what both need into a file of its own, or list the circle with its reason";
        Problem::new(first, 0, what, remedy)
    }
}

fn with(module: &[String], child: &str) -> Module {
    module.iter().cloned().chain([child.to_owned()]).collect()
}

fn is_kin(one: &Module, other: &Module) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)], known: &[Circle<'_>]) -> Vec<String> {
        circles(&Tree::of(files), known).into_iter().map(|problem| problem.what).collect()
    }

    const FILES: [(&str, &str); 5] = [
        ("crates/x/src/lib.rs", "mod a; mod b; mod c; pub use c::inner::Deep;"),
        ("crates/x/src/a.rs", "use crate::b::B; use crate::Deep;"),
        ("crates/x/src/b.rs", "fn f() { crate::a::go() }"),
        ("crates/x/src/c.rs", "pub(crate) mod inner;"),
        ("crates/x/src/c/inner.rs", "use super::super::a::A;"),
    ];

    #[test]
    fn a_circle_is_found_also_through_what_is_exported_again() {
        let all = found(&FILES, &[]);
        assert_eq!(all.len(), 1);
        assert!(all[0].contains("a.rs") && all[0].contains("b.rs") && all[0].contains("inner.rs"), "{all:?}");
    }

    #[test]
    fn a_listed_circle_is_tolerated_while_it_is_there() {
        let files = ["crates/x/src/a.rs", "crates/x/src/b.rs", "crates/x/src/c/inner.rs"];
        let known = Circle { files: &files, reason: "a test" };
        assert_eq!(found(&FILES, &[known]), [""; 0]);
        let gone = found(&FILES[..2], &[known]);
        assert!(gone[0].contains("not there"), "{gone:?}");
    }

    #[test]
    fn parents_and_children_are_no_circle() {
        let files = [
            ("crates/x/src/lib.rs", "mod a;"),
            ("crates/x/src/a.rs", "mod b; use b::B;"),
            ("crates/x/src/a/b.rs", "use crate::a::A;"),
        ];
        assert_eq!(found(&files, &[]), [""; 0]);
    }
}
