//! Which crate may depend on which: the table "Arrows" in ARCHITECTURE.md, compared with every `Cargo.toml`.

use std::collections::{BTreeMap, BTreeSet};

use crate::markdown::{LineKind, code_spans, lines};
use crate::{Problem, Tree};

/// The page that has the table.
const PAGE: &str = "ARCHITECTURE.md";
/// The heading above the table.
const HEADING: &str = "## Arrows";

/// Finds dependencies that the table does not have, arrows that nobody uses, and circles.
#[must_use]
pub fn arrows(tree: &Tree) -> Vec<Problem> {
    let Some(page) = tree.file(PAGE) else {
        return vec![Problem::new(PAGE, 0, "the page is missing", "restore it")];
    };
    let allowed = table(&page.text);
    let mut problems = Vec::new();
    let mut real: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, manifest) in manifests(tree) {
        let crate_folder = path.trim_end_matches("/Cargo.toml");
        let used = dependencies(&manifest, tree);
        let Some((line, may)) = allowed.get(crate_folder) else {
            let what = format!("{crate_folder} is not in the table of arrows");
            problems.push(Problem::new(PAGE, 0, what, "add a row that says what it may depend on"));
            continue;
        };
        for dependency in used.difference(may).filter(|dependency| *dependency != crate_folder) {
            let what =
                format!("{crate_folder} depends on {dependency}, and the table of arrows does not have it");
            problems.push(Problem::new(
                &path,
                0,
                what,
                "take the dependency out, or draw the arrow and say why",
            ));
        }
        for unused in may.difference(&used) {
            let what = format!("{crate_folder} does not depend on {unused}");
            problems.push(Problem::new(PAGE, *line, what, "take the arrow out of the table"));
        }
        real.insert(crate_folder.to_owned(), used);
    }
    for (folder, (line, _)) in allowed.iter().filter(|(folder, _)| !real.contains_key(*folder)) {
        problems.push(Problem::new(PAGE, *line, format!("there is no crate {folder}"), "take the row out"));
    }
    problems.extend(real.keys().filter(|start| reaches_itself(start, &real)).map(|start| {
        Problem::new(
            &format!("{start}/Cargo.toml"),
            0,
            "the crate is in a circle of dependencies",
            "break it",
        )
    }));
    problems
}

/// The rows of the table: a crate's folder, its line, and the folders that it may depend on.
fn table(page: &str) -> BTreeMap<String, (usize, BTreeSet<String>)> {
    let mut in_section = false;
    let mut rows = BTreeMap::new();
    for line in lines(page) {
        if line.text.starts_with("## ") {
            in_section = line.text == HEADING;
        }
        if !in_section || line.kind != LineKind::Row {
            continue;
        }
        let mut folders = code_spans(line.text).map(str::to_owned);
        if let Some(folder) = folders.next() {
            rows.insert(folder, (line.number, folders.collect()));
        }
    }
    rows
}

/// The manifests of the workspace's crates.
fn manifests(tree: &Tree) -> Vec<(String, toml::Table)> {
    let in_workspace = |path: &str| {
        path.ends_with("/Cargo.toml") && !path.starts_with("samples/") && !path.starts_with("fuzz/")
    };
    let files = tree.with("toml").filter(|file| in_workspace(&file.path));
    files.filter_map(|file| Some((file.path.clone(), file.text.parse().ok()?))).collect()
}

/// The folders of the workspace's crates that a manifest names in any table of dependencies.
fn dependencies(manifest: &toml::Table, tree: &Tree) -> BTreeSet<String> {
    let mut names: BTreeSet<&String> = BTreeSet::new();
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let targets = targets.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table);
    for table in targets.chain([manifest]) {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            names.extend(
                table.get(kind).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys),
            );
        }
    }
    names.iter().filter_map(|name| folder_of(name, tree)).collect()
}

/// The folder of a crate of this workspace, from the workspace's table of dependencies.
fn folder_of(name: &str, tree: &Tree) -> Option<String> {
    let workspace: toml::Table = tree.file("Cargo.toml")?.text.parse().ok()?;
    let path = workspace.get("workspace")?.get("dependencies")?.get(name)?.get("path")?;
    Some(path.as_str()?.to_owned())
}

fn reaches_itself(start: &str, real: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![start];
    while let Some(folder) = waiting.pop() {
        // A crate whose tests want its own features depends on itself.
        for next in real.get(folder).into_iter().flatten().filter(|next| *next != folder) {
            if next == start {
                return true;
            }
            if seen.insert(next.as_str()) {
                waiting.push(next);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: &str =
        "[workspace.dependencies]\none = { path = \"crates/one\" }\ntwo = { path = \"crates/two\" }";

    fn found(page: &str, one: &str, two: &str) -> Vec<String> {
        let page = format!("# Page\n\n## Arrows\n\n{page}\n\n## Next\n| `crates/three` | |");
        let tree = Tree::of(&[
            ("ARCHITECTURE.md", &page),
            ("Cargo.toml", WORKSPACE),
            ("crates/one/Cargo.toml", one),
            ("crates/two/Cargo.toml", two),
        ]);
        arrows(&tree).into_iter().map(|problem| problem.what).collect()
    }

    #[test]
    fn the_table_and_the_manifests_agree() {
        let page = "| `crates/one` | `crates/two` |\n| `crates/two` | |";
        assert_eq!(found(page, "[dependencies]\ntwo.workspace = true", ""), [""; 0]);
    }

    #[test]
    fn an_arrow_upward_one_too_many_and_a_circle_are_found() {
        let page = "| `crates/one` | `crates/two` |\n| `crates/two` | |";
        let upward = found(page, "", "[dev-dependencies]\none.workspace = true");
        assert!(upward.iter().any(|what| what.contains("two depends on crates/one")), "{upward:?}");
        assert!(upward.iter().any(|what| what.contains("one does not depend on crates/two")), "{upward:?}");
        let both = "| `crates/one` | `crates/two` |\n| `crates/two` | `crates/one` |";
        let use_two = "[target.'cfg(unix)'.dependencies]\ntwo.workspace = true";
        let circle = found(both, use_two, "[dependencies]\none.workspace = true");
        assert!(circle.iter().any(|what| what.contains("circle")), "{circle:?}");
        assert!(
            found("| `crates/one` | |", "", "").iter().any(|what| what.contains("two is not in the table"))
        );
    }
}
